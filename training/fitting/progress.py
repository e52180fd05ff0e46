"""What training shows on the terminal: a bar with the time left, a line per epoch."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.evaluation.plots import Curve
from training.fitting.fit import SELECTION_METRIC


class ProgressCallback(TrainerCallback):
    """Bar over the steps; after every epoch the losses and the validation macro-F1 of each head."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.train: Curve = []
        self.validation: Curve = []
        self.best = -1.0
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the bar where the run stands."""
        self.task = self.bar.add_task("", total=state.max_steps, completed=state.global_step, epoch="1")
        self.epochs = args.num_train_epochs
        self.best = state.best_metric if state.best_metric is not None else -1.0
        for entry in state.log_history:
            self._keep(entry)
        self.bar.start()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Advance."""
        epoch = f"{min(int(state.epoch or 0) + 1, round(self.epochs))}/{self.epochs:g}"
        self.bar.update(self.task, completed=state.global_step, epoch=epoch)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Keep the losses for the curve."""
        self._keep({**(logs or {}), "epoch": state.epoch or 0.0})

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Print the epoch's line."""
        metrics = metrics or {}
        heads = [
            f"{name.removeprefix('eval_').removesuffix('_macro_f1')} {100 * value:.1f}"
            for name, value in metrics.items()
            if name.endswith("_macro_f1") and name != f"eval_{SELECTION_METRIC}"
        ]
        score = metrics.get(f"eval_{SELECTION_METRIC}", 0.0)
        better, self.best = score > self.best, max(score, self.best)
        train_loss = f"{self.train[-1][1]:.3f}" if self.train else "-"
        self.console.print(
            f"epoch {state.epoch or 0:g}: loss {train_loss}, validation loss {metrics.get('eval_loss', 0):.3f}, "
            f"macro-F1 {', '.join(heads)}" + (" [green]best so far[/]" if better else ""),
            soft_wrap=True,
        )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Stop the bar."""
        self.bar.stop()

    def _keep(self, entry: dict[str, float]) -> None:
        epoch = entry["epoch"]
        if "loss" in entry:
            self.train.append((epoch, entry["loss"]))
        if "eval_loss" in entry:
            self.validation.append((epoch, entry["eval_loss"]))
