"""The `optimize` command, which is training's: making an int8 model needs what trained it."""

import os
import sys
from importlib.util import find_spec

from serving.cli import OutputAliasOption, TrackedModelOption, remedy
from serving.errors import StancewiseError


def optimize(model: TrackedModelOption, output_alias: OutputAliasOption = None) -> None:
    """Make the int8 version of a fine-tuned model for CPUs: the same as python -m training optimize.

    Whether the new version becomes champion is decided by python -m training promote.

    Example:

        python -m serving optimize --model models:/stance@champion --output-alias int8
    """
    for module in ("training", "nncf"):
        if find_spec(module) is None:
            raise StancewiseError(f"optimize: {module} is not installed; {remedy('nncf')}")
    command = [sys.executable, "-m", "training", "optimize", "--model", model]
    os.execv(sys.executable, command + (["--output-alias", output_alias] if output_alias else []))  # noqa: S606
