"""The documents name commands, targets and files that exist."""

import re
import subprocess

import pytest

from serving.commands import app as serving
from tests.conftest import REPOSITORY
from training.commands import app as training

DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("data/*.md")])


def make_help() -> str:
    # Run by `make test`, a make inside a make would announce the folders it enters.
    command = ["make", "--no-print-directory", "help"]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout


def test_make_help_lists_every_target_with_its_meaning():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    lines = make_help().splitlines()
    assert {line.split()[1] for line in lines} == set(targets)
    assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_exists(path):
    text = path.read_text(encoding="utf-8")
    targets = {line.split()[1] for line in make_help().splitlines()}
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (path.parent / link).exists(), link
    for config in re.findall(r"configs/[a-z-]+\.yaml", text):
        assert (REPOSITORY / config).exists(), config
    for package, application in (("training", training), ("serving", serving)):
        known = {one.name or one.callback.__name__ for one in application.registered_commands}
        assert set(re.findall(rf"python -m {package} ([a-z]+)", text)) <= known


@pytest.mark.parametrize(("name", "most"), [("README.md", 90), ("CONTRIBUTING.md", 120)])
def test_the_first_pages_are_short(name, most):
    assert len((REPOSITORY / name).read_text(encoding="utf-8").splitlines()) <= most
