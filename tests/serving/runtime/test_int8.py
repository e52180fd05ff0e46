"""The int8 runtime's memory: what OpenVINO keeps prepared for the shapes it has seen is bounded."""

import os
import subprocess
import sys

from tests.conftest import REPOSITORY

# OpenVINO takes the bound but does not tell it, so its effect is measured, in a process of its own: 300 shapes fill
# what may be kept of the eight layers, and the next 200 must replace it.
GROWTH = """
import numpy as np, openvino, psutil
import openvino.opset13 as ops
from serving.runtime.int8 import compile_model

x = given = ops.parameter([-1, -1, 32], np.float32)
for layer in range(4):
    wide = np.ones((32, 32 * (layer + 1)), dtype=np.float32)
    for weights in (wide, wide.T.copy()):
        x = ops.matmul(x, ops.constant(weights), False, False)
    x = ops.relu(x)
request = compile_model(openvino.Model([x], [given]), 1, 1).create_infer_request()
for length in range(1, 501):
    request.infer([np.zeros((1 + length % 4, length, 32), np.float32)])
    if length == 300:
        before = psutil.Process().memory_info().rss
print((psutil.Process().memory_info().rss - before) / 1e6)
"""


def test_new_shapes_replace_old_ones():
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", GROWTH], env=environment, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 70, "MB; without a bound 140, with it 20"
