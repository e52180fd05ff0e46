"""Two processes train what one would, in one run; a killed one ends both, and any number goes on."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import psutil
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from serving.store.versions import find_model
from training.config import TrainConfig, load_config
from training.data.parts import read_data
from training.fitting.fit import Workspace, fit

TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m")


@pytest.fixture(scope="module")
def settings(project, encoder) -> dict:
    """Without dropout, so that one process and two have to agree."""
    folder = project.folder / "without-dropout"
    shutil.copytree(encoder, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return {"encoder": {"folder": str(folder)}, "batch": {"rows": 24}, "epochs": 12, "experiment": "processes"}


@pytest.fixture(scope="module")
def alone(project, settings) -> dict:
    """The weights that one process comes to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.folder)
        config = load_config(Path(project.config("alone", **settings)), TrainConfig)
        corpora = read_data(config.data, Console(quiet=True))
        workspace = Workspace(project.folder / "alone", [])
        folder = fit(config, config.seeds[0], corpora["train"], corpora["validation"], workspace)
        return load_file(folder / "model.safetensors")


def found(project, name):
    mlflow.set_tracking_uri(project.store)
    [run] = mlflow.search_runs(
        experiment_names=["processes"], filter_string=f"attributes.run_name = '{name}'", output_format="list"
    )
    return run


def assert_same_model(run, weights):
    found = load_file(find_model(f"runs:/{run.info.run_id}") / "model.safetensors")
    for name in weights:
        torch.testing.assert_close(found[name], weights[name], atol=1e-4, rtol=1e-3)


def test_two_processes_train_the_model_of_one_in_one_run(project, settings, alone):
    halves = {**settings, "batch": {"rows": 24, "accumulation": 3}}
    config = project.config("together", **halves, register={"name": "together"})
    done = project.run(*TORCHRUN, "training", "train", config)
    run = found(project, "together")
    assert run.info.status == "FINISHED"
    assert run.data.tags["processes"] == "2"
    assert_same_model(run, alone)
    assert len(mlflow.MlflowClient().search_model_versions("name = 'together'")) == 1
    assert done.stdout.count("epoch 1:") == done.stdout.count("registered as") == 1
    assert not list(project.folder.glob(f"runs/{run.info.run_id}"))


def killed(project, config, rank) -> tuple[subprocess.Popen, str]:
    """torchrun whose process of this rank was killed after the second epoch, and what it wrote to standard error."""
    before = set(project.folder.glob("runs/*"))
    launcher = subprocess.Popen(
        [sys.executable, "-m", *TORCHRUN, "training", "train", config],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 120
    while not [one for one in set(project.folder.glob("runs/*")) - before if whole(one / "checkpoint-14")]:
        assert launcher.poll() is None, launcher.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.02)
    [victim] = [one for one in psutil.Process(launcher.pid).children() if one.environ().get("RANK") == str(rank)]
    victim.send_signal(signal.SIGKILL)
    _, errors = launcher.communicate(timeout=120)
    return launcher, errors


def whole(checkpoint: Path) -> bool:
    return (checkpoint / "trainer_state.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(("rank", "launcher"), [(1, ()), (0, TORCHRUN)], ids=["a worker", "the main one"])
def test_a_killed_process_ends_all_and_any_number_goes_on(project, settings, alone, rank, launcher):
    name = f"killed-{rank}"
    ended, errors = killed(project, project.config(name, **settings, register=None), rank)
    assert ended.returncode != 0
    [line] = [line for line in errors.splitlines() if line.startswith("error:")]
    run = found(project, name)
    assert run.info.status == ("FAILED" if rank else "RUNNING")
    command = re.search(r"torchrun .* -m (training train --resume \w+)", line)[1].split()
    assert command[-1] == run.info.run_id

    done = project.run(*launcher, *command)
    assert "epoch 1:" not in done.stdout, "the first epoch is not trained again"
    assert_same_model(found(project, name), alone)


@pytest.mark.slow
def test_accelerate_starts_them_too(project, settings, alone):
    launch = ("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0", "-m")
    done = project.run(*launch, "training", "train", project.config("accelerated", **settings, register=None))
    assert done.stdout.count("epoch 1:") == 1
    assert_same_model(found(project, "accelerated"), alone)


@pytest.mark.slow
def test_bf16_with_recomputed_activations_in_several_processes(project, settings, alone):
    more = {"precision": "bf16", "gradient_checkpointing": True, "lora": {"rank": 4}}
    project.run(*TORCHRUN, "training", "train", project.config("bf16", **settings, **more, register=None))
    assert found(project, "bf16").info.status == "FINISHED"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "uneven.yaml"), "batch.rows: 33 rows cannot be shared out evenly over 2 processes"),
        (("train", "nowhere.yaml"), "nowhere.yaml: no such config"),
        (("sweep", "nowhere.yaml"), "sweep runs in one process"),
    ],
)
def test_a_mistake_is_said_once(project, settings, arguments, message):
    project.config("uneven", **{**settings, "batch": {"rows": 33}})
    done = project.run(*TORCHRUN, "training", *arguments, check=False)
    assert done.returncode != 0
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert message in line
    assert not mlflow.search_runs(
        experiment_names=["processes"], filter_string="attributes.run_name = 'uneven'", output_format="list"
    )
