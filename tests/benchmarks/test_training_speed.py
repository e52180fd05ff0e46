import re
import sys

import pytest

from tests.conftest import REPOSITORY, ran

PROGRAM = str(REPOSITORY / "benchmarks" / "training_speed.py")


def test_every_part_of_a_training_is_found_by_the_name_of_its_functions(project):
    done = ran([sys.executable, PROGRAM, "parts", "--config", "tiny.yaml"], project.folder, project.environment)
    seconds = {
        name: float(value) for name, value in re.findall(r"^\| ([^|]+) \| ([\d.]+) \|", done.stdout, re.MULTILINE)
    }
    whole = seconds.pop("all")
    assert 0.8 * whole < sum(seconds.values()) < 1.2 * whole
    unfound = [name for name, value in seconds.items() if value == 0 and name not in ("collation", "gradient norm")]
    assert not unfound, "no function of this name ran, or it takes no time"


@pytest.mark.slow
def test_a_step_has_shares_and_a_limit(project):
    tiny = str(project.folder / "tiny.yaml")
    command = [sys.executable, PROGRAM, "step", "--config", tiny, "--steps", "3"]
    done = ran(command, REPOSITORY, project.environment)
    assert "| matrix products |" in done.stdout
    assert re.search(r"a step reaches \d+% of the limit", done.stdout)
