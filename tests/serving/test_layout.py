"""The one rule between the rooms: serving knows nothing of training and its libraries."""

import ast

import pytest

from tests.conftest import REPOSITORY

FORBIDDEN = {"training", "datasets", "sklearn", "matplotlib", "scipy", "yaml"}


@pytest.mark.parametrize("path", sorted((REPOSITORY / "serving").rglob("*.py")), ids=lambda path: path.name)
def test_serving_imports_nothing_of_training(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert not imported & FORBIDDEN
