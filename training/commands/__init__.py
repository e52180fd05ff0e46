"""The commands of `python -m training`."""

import typer

from serving.errors import StancewiseError
from training.commands import data, label, measure, release, teach, train
from training.fitting import processes

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)


@app.callback()
def main(context: typer.Context) -> None:
    """Fine-tune, calibrate, evaluate and track stance models."""
    if processes.count() > 1 and context.invoked_subcommand != "train":
        if processes.index() > 0:
            raise typer.Exit(1)
        raise StancewiseError(
            f"{context.invoked_subcommand} runs in one process; torchrun and accelerate are for train"
        )


for _command in (
    train.train,
    train.baseline,
    train.reader,
    train.adapt,
    train.sweep,
    data.check,
    data.pick,
    teach.teach,
    teach.teach_reader,
    label.label,
    label.agree,
    label.convert,
    measure.evaluate,
    measure.drift,
    measure.benchmark,
    measure.compare,
    measure.audit,
    release.sample,
    release.promote,
    release.optimize,
):
    app.command()(_command)
