"""A tiny encoder, a small corpus and one real trained project, shared by the tests."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from tests import warm

REPOSITORY = Path(__file__).parent.parent
STATEMENTS = REPOSITORY / "data" / "statements"


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_lines(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def tracked_changes(folder: Path) -> str:
    """What git says of the tracked files of a clone: nothing, where none has changed."""
    command = ["git", "status", "--porcelain", "--untracked-files=no"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


@pytest.fixture(scope="session", autouse=True)
def _tree_unchanged():
    """Tests rewrite no tracked file."""
    before = tracked_changes(REPOSITORY)
    yield
    assert tracked_changes(REPOSITORY) == before, "a test, or somebody beside it, has changed tracked files"


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> Path:
    """A two-layer BERT of 32 dimensions with a tokenizer trained on our statements; made here, never fetched."""
    import torch
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    texts = [row["text"] for row in read_lines(STATEMENTS / "train.jsonl")]
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=2000, special_tokens=specials))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(fast), **size)).save_pretrained(folder)
    return folder


def ran(
    command: list[str],
    folder: Path,
    environment: dict[str, str],
    stdin: str | None = None,
    check: bool = True,
    most_seconds: int = 300,
) -> subprocess.CompletedProcess:
    """A command that was run in a folder; with `check` it has to succeed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=most_seconds,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@dataclass(frozen=True)
class Project:
    """A user's working folder: data, configs, an MLflow store of its own."""

    folder: Path
    environment: dict[str, str]

    def run(
        self, *arguments: str, stdin: str | None = None, check: bool = True, most_seconds: int = 300
    ) -> subprocess.CompletedProcess:
        """`python -m ARGUMENTS`; with `check` it has to succeed."""
        done = warm.run(arguments[0], arguments[1:], self.folder, self.environment, stdin, most_seconds)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def config(self, name: str, **changes) -> str:
        values = yaml.safe_load((self.folder / "tiny.yaml").read_text(encoding="utf-8")) | {"name": name} | changes
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        return f"{name}.yaml"

    @property
    def store(self) -> str:
        return self.environment["MLFLOW_TRACKING_URI"]


def make_project(folder: Path, encoder: Path) -> Project:
    data = folder / "statements"
    data.mkdir()
    for part, count in (("train", 160), ("validation", 60), ("test", 60)):
        write_lines(data / f"{part}.jsonl", read_lines(STATEMENTS / f"{part}.jsonl")[:count])
    config = {
        "name": "tiny",
        "data": {part: f"statements/{part}.jsonl" for part in ("train", "validation", "test")},
        "encoder": {"folder": str(encoder)},
        "max_length": 96,
        "epochs": 2,
        "optimiser": {"learning_rate": 1e-3},
        "device": "cpu",
        "register": {"name": "stance", "alias": "champion"},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        # As in an activated environment: `mlflow models serve` looks its server up there.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "STANCEWISE_CACHE": f"{folder}/cache",
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "160",
    }
    return Project(folder, environment)


@pytest.fixture(autouse=True)
def own_tracking_uri():
    """A test that names a tracking store names it for itself alone: the next one in the worker starts without it."""
    import mlflow

    before = mlflow.get_tracking_uri()
    yield
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="session")
def project(tmp_path_factory, encoder) -> Project:
    """A project with a finished fine-tuning run (`stance@champion`) and a finished baseline (`stance@baseline`)."""
    made = make_project(tmp_path_factory.mktemp("project"), encoder)
    trained = made.run("training", "train", "tiny.yaml")
    (made.folder / "train.log").write_text(trained.stdout + trained.stderr, encoding="utf-8")
    data = {"data": yaml.safe_load((made.folder / "tiny.yaml").read_text())["data"]}
    baseline = {"name": "tfidf", **data, "register": {"name": "stance", "alias": "baseline"}}
    (made.folder / "baseline.yaml").write_text(yaml.safe_dump(baseline), encoding="utf-8")
    made.run("training", "baseline", "baseline.yaml")
    return made


@pytest.fixture(scope="session")
def champion(project) -> Path:
    """The model folder behind `models:/stance@champion`."""
    import mlflow

    from serving.store.versions import find_model

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(project.store)
    try:
        return find_model("models:/stance@champion")
    finally:
        mlflow.set_tracking_uri(before)


@pytest.fixture(scope="session")
def classifier(champion):
    from serving import StanceClassifier

    return StanceClassifier.load(champion, device="cpu")


@pytest.fixture(scope="session")
def watched(champion, classifier, tmp_path_factory) -> Path:
    """The champion with a reference of the whole validation part: that of the project has too few texts."""
    from serving.store.folder import read_settings, write_settings
    from serving.watch.reference import write_reference
    from training.data.corpus import read_corpus
    from training.evaluation.evaluate import evaluate
    from training.experiments.reference import ask, make_reference

    train, validation, test = (read_corpus(STATEMENTS / f"{part}.jsonl") for part in ("train", "validation", "test"))
    asked = ask(classifier.runtime, validation.statements())
    tests = {"test": evaluate(classifier, test.keep(range(200)))}
    folder = tmp_path_factory.mktemp("watched") / "model"
    shutil.copytree(champion, folder)
    write_reference(folder, make_reference(classifier, train.keep(range(200)).statements(), validation, asked, tests))
    write_settings(folder, read_settings(folder))
    return folder


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window, for the tests of one file: its event loop must not outlive them."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()
