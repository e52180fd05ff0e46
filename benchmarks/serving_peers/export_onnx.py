"""Writes a checkpoint as ONNX, fused, in fp32 and int8. Runs in infinity's environment.

python export_onnx.py MODEL_FOLDER OUTPUT_FOLDER
"""

import shutil
import sys
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from optimum.exporters.onnx import main_export
from optimum.onnxruntime import ORTModelForSequenceClassification, ORTOptimizer
from optimum.onnxruntime.configuration import OptimizationConfig


def main(model: Path, output: Path) -> None:
    """Export, fuse, quantise; each precision gets a folder with one ONNX file, named as infinity looks for it."""
    plain, fused = output / "plain", output / "fused"
    main_export(str(model), output=plain, task="text-classification", local_files_only=True)
    optimiser = ORTOptimizer.from_pretrained(ORTModelForSequenceClassification.from_pretrained(plain))
    optimiser.optimize(OptimizationConfig(optimization_level=2), save_dir=fused)
    [file] = fused.glob("*.onnx")
    for precision in ("fp32", "int8"):
        shutil.copytree(fused, output / precision, ignore=shutil.ignore_patterns("*.onnx"))
    file.rename(output / "fp32" / "model.onnx")
    quantize_dynamic(
        output / "fp32" / "model.onnx",
        output / "int8" / "model_quantized.onnx",
        per_channel=True,
        weight_type=QuantType.QInt8,
        # The fused nodes are not ONNX's own, so that its shape inference knows nothing of their outputs.
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    shutil.rmtree(plain)
    shutil.rmtree(fused)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
