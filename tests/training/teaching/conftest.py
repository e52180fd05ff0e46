"""The server, and a folder of statements to ask it about."""

import os
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, STATEMENTS, Project, read_lines, write_lines
from tests.training.teaching.llm import LLM, running

FIELDS = ("text", "speaker", "target")


@pytest.fixture
def llm() -> LLM:
    with running() as server:
        yield server


@pytest.fixture
def folder(tmp_path) -> Path:
    """40 statements without labels, and 60 with labels."""
    rows = read_lines(STATEMENTS / "train.jsonl")[200:240]
    write_lines(tmp_path / "own.jsonl", [{name: row[name] for name in (*FIELDS, "group")} for row in rows])
    write_lines(tmp_path / "labelled.jsonl", read_lines(STATEMENTS / "test.jsonl")[:60])
    return tmp_path


@pytest.fixture
def desk(folder) -> Project:
    """That folder as a user's working folder, without a model."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    environment.pop("OPENAI_API_KEY", None)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return Project(folder, environment | {"COLUMNS": "160", "PATH": programs})


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
