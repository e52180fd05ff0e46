"""The commands of `python -m serving`, one file each."""

import typer

from serving.commands import article, export, optimize, predict, score, serve

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)


@app.callback()
def main() -> None:
    """Label statements by stance (support, neutrality, criticism) and sentiment toward a target."""


for _command in (
    predict.predict,
    score.score,
    article.article,
    export.export,
    serve.serve,
    optimize.optimize,
):
    app.command()(_command)
