"""What a user is told to install: the extras named in `EXTRAS`, held against pyproject.toml."""

import ast
import tomllib
from functools import cache
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from serving.cli import EXTRAS, remedy
from tests.conftest import REPOSITORY


@cache
def project() -> dict:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(one).name) for one in requirements}


@cache
def distributions() -> dict[str, set[str]]:
    """Top-level module -> the distributions that bring it."""
    return {module: set(map(canonicalize_name, found)) for module, found in packages_distributions().items()}


@pytest.mark.parametrize("module", EXTRAS)
def test_a_module_comes_with_the_extras_named_and_not_with_the_project_alone(module):
    extras = EXTRAS[module].split(",")
    brought = set().union(*(names(project()["optional-dependencies"][extra]) for extra in extras))
    assert distributions()[module] & brought
    assert not distributions()[module] & names(project()["dependencies"])
    assert remedy(f"{module}.inner") == f"install it with: pip install '.[{EXTRAS[module]}]'"


def test_every_module_of_an_extra_that_the_code_imports_is_named():
    extras = {name: names(wanted) for name, wanted in project()["optional-dependencies"].items() if name != "test"}
    optional = set().union(*extras.values()) - names(project()["dependencies"])
    imported = set()
    for path in (path for package in ("serving", "training") for path in (REPOSITORY / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    needed = {module for module in imported if distributions().get(module, set()) & optional}
    assert needed - EXTRAS.keys() == set()


def test_what_comes_with_the_project_needs_the_project():
    assert remedy("fastapi") == remedy("openvino.runtime") == "install the project with: pip install ."
