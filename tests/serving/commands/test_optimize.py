"""`python -m serving optimize` where training or nncf is missing."""

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

# As `python -m serving optimize`, in a process that cannot import a module.
CODE = """
import runpy, sys
sys.modules[sys.argv.pop(1)] = None
runpy.run_module("serving", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("missing", ["training", "nncf"])
def test_what_is_missing_is_named_with_what_brings_it(missing):
    command = [sys.executable, "-c", CODE, missing, "optimize", "--model", "models:/stance@champion"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    wanted = f"optimize: {missing} is not installed; install it with: pip install '.[training,optimize]'"
    assert wanted in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_it_is_the_command_of_training():
    command = [sys.executable, "-m", "serving", "optimize", "--model", "models"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "models: a tracked model is needed" in " ".join(done.stderr.split())
