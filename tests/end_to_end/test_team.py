"""A team's servers as docs/team.md says: its commands run here, with PostgreSQL and an S3-compatible store."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import mlflow
import pytest
import yaml
from mlflow.exceptions import MlflowException

from tests.conftest import REPOSITORY, make_project, ran
from tests.end_to_end.stores import POSTGRESQL, answering, cluster, free_port, s3_server

DEPLOY = REPOSITORY / "deploy"
DOCUMENT = (REPOSITORY / "docs" / "team.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
ENGINE = "docker compose -f deploy/compose.yaml "
PLAIN = [block for block in BLOCKS if ENGINE not in block]
PASSWORDS = {"ada": "of ada, long enough", "grace": "of grace, long enough"}


def block(words: str) -> str:
    """The document's one block of plain commands with these words."""
    [found] = [one for one in PLAIN if words in one]
    return found


def settings(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@dataclass
class Team:
    """A folder with a project in it, and what was run of the document."""

    folder: Path
    environment: dict[str, str]
    run_so_far: set[str] = field(default_factory=set)

    def fill_in(self, **known: object) -> dict[str, str]:
        """Write deploy/.env: what is known, what was empty as a secret of its own."""
        path = self.folder / "deploy" / ".env"
        values = {name: value or f"secret-of-{name}" for name, value in settings(path).items()}
        values |= {name: str(value) for name, value in known.items()}
        path.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
        return values

    def script(self, *blocks: str) -> list[str]:
        self.run_so_far |= set(blocks)
        return ["bash", "-euc", "\n".join(blocks)]

    def run(self, command: list[str], stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess:
        return ran(command, self.folder, self.environment, stdin, check)

    def as_member(self, name: str, url: str, command: str, **options) -> subprocess.CompletedProcess:
        """Sign in as the document says and run a command of it."""
        password = options.pop("password", PASSWORDS[name])
        sign_in = block("read -rs")
        self.run_so_far.add(sign_in)
        mine = sign_in.replace("http://127.0.0.1:5000", url).replace("USERNAME=ada", f"USERNAME={name}")
        return self.run(["bash", "-euc", f"{mine}\n{command}"], stdin=f"{password}\n", **options)


def make_team(folder: Path, encoder: Path) -> Team:
    project = make_project(folder, encoder)
    shutil.copytree(DEPLOY, folder / "deploy", ignore=shutil.ignore_patterns(".env"))
    (folder / "configs").mkdir()
    tiny = yaml.safe_load((folder / "tiny.yaml").read_text(encoding="utf-8"))
    (folder / "configs" / "quickstart.yaml").write_text(yaml.safe_dump({**tiny, "epochs": 1}), encoding="utf-8")
    kept = {k: v for k, v in project.environment.items() if not k.startswith(("MLFLOW_", "PG", "AWS_", "STANCE"))}
    programs = [str(POSTGRESQL[-1])] if POSTGRESQL else []
    path = os.pathsep.join([str(Path(sys.executable).parent), *programs, kept["PATH"]])
    return Team(folder, {**kept, "PATH": path, "HOME": str(folder)})


def one_line(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 1, done.stdout + done.stderr
    # MLflow itself may say before that the model's name is taken already.
    *before, line = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert all(one.startswith("Registered model") for one in before), done.stderr
    return line


@pytest.mark.slow
def test_who_has_no_password_or_no_permission_is_told_so_in_one_line(tmp_path, encoder, monkeypatch):
    team = make_team(tmp_path, encoder)
    team.run(team.script(block("cp deploy/env.example")))
    rules = tmp_path / "deploy" / "auth.ini"
    rules.write_text(rules.read_text().replace("postgresql+psycopg:///", f"sqlite:///{tmp_path}/auth.db"))
    values = team.fill_in(MLFLOW_PORT=free_port(), MLFLOW_WORKERS=1)
    url = f"http://127.0.0.1:{values['MLFLOW_PORT']}"
    command = block("mlflow server").replace("postgresql+psycopg:///", f"sqlite:///{tmp_path}/behind.db")
    command = command.replace('"s3://${BUCKET:?}"', shlex.quote(str(tmp_path / "artifacts")))
    start = team.script(block("set -a"), command)
    with answering(start, f"{url}/health", tmp_path / "server.log", team.environment):
        ada = team.script(block("set -a"), block("ada --trains").replace("ada --trains", "grace"))
        assert team.run(ada, stdin=f"{PASSWORDS['grace']}\n").stdout == "grace is a member\n"

        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", values["MLFLOW_AUTH_ADMIN_USERNAME"])
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", values["MLFLOW_AUTH_ADMIN_PASSWORD"])
        mlflow.MlflowClient(url).create_experiment("stance", tags={"mlflow.experimentKind": "custom_model_development"})

        train, serve = block("training train"), "python -m serving serve --model models:/stance@champion --port 0"
        for command in (train, serve):
            line = one_line(team.as_member("grace", url, command, password="not hers", check=False))
            assert "name or password is wrong" in line
            assert "MLFLOW_TRACKING_PASSWORD" in line
        assert "you may not do that" in one_line(team.as_member("grace", url, train, check=False))
        assert mlflow.MlflowClient(url).search_runs(["1"]) == []


@pytest.mark.slow
@pytest.mark.skipif(not POSTGRESQL, reason="PostgreSQL is not installed")
def test_every_command_of_the_document(tmp_path, encoder, monkeypatch):
    team = make_team(tmp_path, encoder)
    team.run(team.script(block("cp deploy/env.example")))
    assert (tmp_path / "deploy" / ".env").stat().st_mode & 0o077 == 0
    read = block("set -a")
    with cluster("scram-sha-256") as (sockets, port), s3_server(tmp_path) as store:
        places = {"PGPORT": port, "PGSOCKET": sockets, "AWS_ENDPOINT_URL_S3": store}
        values = team.fill_in(**places, MLFLOW_PORT=free_port(), STANCE_PORT=free_port(), MLFLOW_WORKERS=1)
        url = f"http://127.0.0.1:{values['MLFLOW_PORT']}"
        for words in ("CREATE DATABASE", "create_bucket"):
            team.run(team.script(read, block(words)))
        start = team.script(read, block("mlflow server"))
        with answering(start, f"{url}/health", tmp_path / "server.log", team.environment):
            monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "grace")
            monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORDS["grace"])
            mlflow.set_tracking_uri(url)
            line_of_a_team(team, url, values)
        team.run(team.script(read, block("pg_dump")))
        content = team.run(["pg_restore", "--list", "tracking.dump"]).stdout
        for table in ("runs", "model_versions", "users"):
            assert f"TABLE DATA public {table} " in content
        team.run(team.script(read, block("mlflow db upgrade")))
    assert team.run_so_far == set(PLAIN)


def line_of_a_team(team: Team, url: str, values: dict[str, str]) -> None:
    """Members, a first champion, the stance server, a second champion; signed in here as one who may only read."""
    read, train = block("set -a"), block("training train")
    team.run(team.script(read, block("member.py stance-server")))
    member = block("ada --trains")
    team.run(team.script(read, member), stdin=f"{PASSWORDS['ada']}\n")
    team.run(team.script(read, member.replace("ada --trains", "grace")), stdin=f"{PASSWORDS['grace']}\n")
    team.run_so_far.discard(member.replace("ada --trains", "grace"))

    team.as_member("ada", url, train)
    team.run_so_far.add(train)
    [run] = mlflow.search_runs(experiment_names=["stance"], output_format="list")
    assert run.info.status == "FINISHED"
    in_the_bucket_alone(team, values, run.info.run_id)

    first = yaml.safe_load((team.folder / "configs" / "quickstart.yaml").read_text())
    second = first | {"name": "second", "seeds": [2], "register": None}
    (team.folder / "configs" / "second.yaml").write_text(yaml.safe_dump(second))
    team.as_member("ada", url, train.replace("quickstart", "second"))
    runs = mlflow.search_runs(experiment_names=["stance"], output_format="list")
    [candidate] = [one.info.run_id for one in runs if one.info.run_name == "second"]
    samples = str(REPOSITORY / "data" / "articles" / "state-visit.jsonl")
    gate = {"model": "stance", "samples": samples, "least_difference": -1.0, "most_ece": 1.0}
    (team.folder / "configs" / "promotion.yaml").write_text(yaml.safe_dump(gate))
    promote = block("training promote")

    address = f"http://127.0.0.1:{values['STANCE_PORT']}"
    start = team.script(read, block("serving serve"))
    ask = block("curl").replace("http://127.0.0.1:8000", address)
    with answering(start, f"{address}/ready", team.folder / "stance.log", team.environment):
        assert answer(team, read, ask)["model"]["version"] == "1"
        refusal = one_line(team.as_member("grace", url, promote.replace("RUN", candidate), check=False))
        assert "you may not do that" in refusal
        with pytest.raises(MlflowException, match="Permission denied"):
            mlflow.MlflowClient().set_registered_model_alias("stance", "champion", "1")
        assert mlflow.MlflowClient().get_model_version_by_alias("stance", "champion").version == "1"

        team.as_member("ada", url, promote.replace("RUN", candidate))
        until = time.monotonic() + 120
        while answer(team, read, ask)["model"]["version"] != "2":
            assert time.monotonic() < until, (team.folder / "stance.log").read_text()
            time.sleep(0.5)
    team.run_so_far |= {promote, block("curl")}
    assert "X-Amz-Signature" not in (team.folder / "s3.log").read_text(), "clients go through the server"


def in_the_bucket_alone(team: Team, values: dict[str, str], run_id: str) -> None:
    names = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
    keys = {f"aws_{name.lower()}": values[f"AWS_{name}"] for name in names}
    bucket = boto3.client("s3", endpoint_url=values["AWS_ENDPOINT_URL_S3"], region_name="us-east-1", **keys)
    pages = bucket.get_paginator("list_objects_v2").paginate(Bucket=values["BUCKET"])
    kept = [item["Key"] for page in pages for item in page.get("Contents", [])]
    assert any(key.endswith("artifacts/model/model.safetensors") for key in kept), kept
    assert any(run_id in key and key.endswith("model_card.md") for key in kept), kept
    assert not {"mlruns", "mlartifacts", "mlflow.db"} & {path.name for path in team.folder.iterdir()}


def answer(team: Team, *blocks: str) -> dict:
    return json.loads(team.run(["bash", "-euc", "\n".join(blocks)]).stdout)


def test_the_compose_file_starts_what_the_document_says():
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    services = yaml.safe_load(text)["services"]
    commands = {name: shlex.split(one["command"]) for name, one in services.items() if "command" in one}
    assert commands["mlflow"] == shlex.split(block("mlflow server"))
    *_, serve = block("serving serve").splitlines()
    assert without_address(commands["stance"]) == without_address(shlex.split(serve))
    for inside in re.findall(rf"{ENGINE}exec(?: -T)? mlflow (.*)", DOCUMENT):
        assert any(inside in one for one in PLAIN), inside
    profiles = {name for one in services.values() for name in one.get("profiles", [])}
    assert profiles == set(re.findall(rf"{ENGINE}--profile (\w+)", DOCUMENT))


def without_address(command: list[str]) -> list[str]:
    place = command.index("--host")
    assert command[place + 2] == "--port"
    return command[:place] + command[place + 4 :]


def test_the_compose_file_pins_keeps_and_hides():
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    parsed = yaml.safe_load(text)
    images = [one["image"] for one in parsed["services"].values()]
    images += re.findall(r"^FROM (\S+)", (DEPLOY / "Containerfile").read_text(encoding="utf-8"), re.MULTILINE)
    for image in images:
        assert re.fullmatch(r"[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-slim)?", image), image
    for name, one in parsed["services"].items():
        assert one["healthcheck"]["test"][0] == "CMD", name
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", [])), name
        for volume in one.get("volumes", []):
            assert volume.partition(":")[0] in parsed["volumes"], name
        for variable, value in one["environment"].items():
            if re.search("PASSWORD|SECRET|KEY", variable):
                assert re.fullmatch(r"\$\{\w+:\?\}", value), variable


def test_the_example_of_settings_is_complete_and_holds_no_secret():
    example = settings(DEPLOY / "env.example")
    empty = {name for name, value in example.items() if not value}
    assert empty == {name for name in example if re.search("PASSWORD|SECRET|API_KEY", name)}
    needed = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text(encoding="utf-8")))
    assert needed <= example.keys()
    read_by_us = set(re.findall(r"\$\{?(\w+)", "".join(PLAIN)))
    assert read_by_us <= example.keys()
