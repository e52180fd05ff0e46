"""The program that measures training on a GPU; what it prints there is looked at by people, not asserted."""

import subprocess
import sys

import pytest
import torch

from tests.conftest import REPOSITORY


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_every_way_to_train_runs_on_the_card(encoder):
    command = [sys.executable, "-m", "benchmarks.gpu", "--encoder", str(encoder), "--steps", "3"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    ways = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")][1:]
    assert [way[0] for way in ways] == ["run_classification", "fp32", "bf16", "bf16, torch.compile"]
    assert all(0 < float(way[3].rstrip("%")) < 100 for way in ways)
