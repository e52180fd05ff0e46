"""The commands of `python -m serving`, one file each."""

import os

import typer

from serving.commands import article, export, optimize, predict, score, serve

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)


@app.callback()
def main(context: typer.Context) -> None:
    """Label statements by stance (support, neutrality, criticism) and sentiment toward a target."""
    if context.invoked_subcommand != "optimize":  # which also writes to the store
        # A registry that is down is worth one more try, not the minutes of MLflow's own.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")


for _command in (
    predict.predict,
    score.score,
    article.article,
    export.export,
    serve.serve,
    optimize.optimize,
):
    app.command()(_command)
