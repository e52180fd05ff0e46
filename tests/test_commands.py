"""What `--help` shows: every option explained, and examples that the commands themselves accept."""

import re
import shlex

import pytest
import typer

from serving.commands import app as serving
from tests.conftest import REPOSITORY
from training.commands import app as training

APPS = {"serving": typer.main.get_command(serving), "training": typer.main.get_command(training)}
COMMANDS = [(app, name) for app, group in APPS.items() for name in group.commands]


def examples(app: str, name: str) -> list[str]:
    """The lines of the code block that follows `Example`."""
    _, _, block = APPS[app].commands[name].help.partition("\nExample")
    return [line.strip() for line in block.splitlines() if line.startswith("    ")]


def calls(line: str) -> list[tuple[str, list[str]]]:
    """The calls of our own commands in a line of shell: app and arguments."""
    found = []
    for piece in re.split(r" [|>] ", line):
        words = shlex.split(piece)
        for app in APPS:
            if ["-m", app] in (words[i : i + 2] for i in range(len(words))):
                found.append((app, expanded(words[words.index(app) + 1 :])))
    return found


def expanded(words: list[str]) -> list[str]:
    """As a shell would, in the repository."""
    return [str(path) for word in words for path in (sorted(REPOSITORY.glob(word)) if "*" in word else [word])]


@pytest.mark.parametrize(("app", "name"), COMMANDS)
def test_a_command_has_an_example_of_itself(app, name):
    used = [(other, arguments[0]) for line in examples(app, name) for other, arguments in calls(line)]
    assert (app, name) in used


@pytest.mark.parametrize(("app", "name"), COMMANDS)
def test_examples_are_accepted_and_name_files_that_exist(app, name):
    for line in examples(app, name):
        for other, (command, *arguments) in calls(line):
            # Raises where an option or a value is unknown, or an argument is missing.
            APPS[other].commands[command].make_context(command, list(arguments))
        for path in re.findall(r"(?:configs|data)/\S+", line):
            assert list(REPOSITORY.glob(path)), path


@pytest.mark.parametrize(("app", "name"), COMMANDS)
def test_every_option_is_explained(app, name):
    for parameter in APPS[app].commands[name].params:
        assert (parameter.help or "").endswith((".", ").")), parameter.name


def test_help_shows_the_examples_whole(capsys):
    with pytest.raises(SystemExit):
        APPS["training"](["train", "--help"], prog_name="python -m training")
    shown = capsys.readouterr().out
    assert "python -m training train configs/quickstart.yaml --reuse" in shown
    assert '"seeds=[1,2]"' in shown
