"""One training of `training_speed.py race`, in a process of its own.

    python benchmarks/training_race.py ours|peer CONFIG [KEY=VALUE ...]

It prints rows a second, megabytes at most and macro-F1 on the validation rows: for ours of both heads, with the kept
checkpoint; for the peer of stance, with the last weights. The clock runs from the first step to the last weights:
evaluations and checkpoints count, imports and tokens do not.
`ours` is whatever version PYTHONPATH names.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console


def main(way: str, config: str, *changes: str) -> None:
    """Train and print."""
    from serving.cli import quiet

    quiet()
    from training.config import TrainConfig, load_config
    from training.data.parts import read_data

    values = load_config(Path(config), TrainConfig, list(changes))
    corpora = read_data(values.data, Console(stderr=True))
    seconds, score = ours(values, corpora) if way == "ours" else peer(values, corpora)
    rows = len(corpora["train"].rows) * values.epochs
    print(rows / seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 100 * score)


def ours(values, corpora) -> tuple[float, float]:
    """Seconds of `fit`, from when training begins, and the score that chose the checkpoint."""
    from transformers import TrainerCallback

    from training.fitting.fit import Workspace, fit

    class Clock(TrainerCallback):
        """When the first step begins, and what the epochs reach."""

        best = 0.0

        def on_train_begin(self, *_, **__):
            self.start = time.perf_counter()

        def on_evaluate(self, *_, metrics, **__):
            self.best = max(self.best, metrics["eval_macro_f1"])

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        fit(values, values.seeds[0], corpora["train"], corpora["validation"], Workspace(Path(folder), [clock]))
        return time.perf_counter() - clock.start, clock.best


def peer(values, corpora) -> tuple[float, float]:
    """Seconds and score of transformers' text classification example at its defaults.

    It trains for as many epochs, with our evaluations.
    Batches of 8 in random order, padded to the longest of the batch (the example pads to 128 tokens), bf16 where ours
    has it, one head.
    """
    import torch
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    from training.benchmark.peers import joined_text
    from training.evaluation.metrics import macro_f1_score
    from training.fitting.encoders import locate
    from training.fitting.fit import native_bf16

    set_seed(values.seeds[0])
    place, revision = locate(values.encoder)
    tokenizer = AutoTokenizer.from_pretrained(place, revision=revision)
    model = AutoModelForSequenceClassification.from_pretrained(place, revision=revision, num_labels=3)

    def rows(corpus) -> Dataset:
        labels = corpus.labels("stance").clip(0)
        encoded = tokenizer(joined_text(corpus), truncation=True, max_length=128)
        return Dataset.from_dict({**encoded, "labels": labels.tolist()})

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=values.epochs,
            seed=values.seeds[0],
            eval_strategy="epoch",
            save_strategy="epoch",
            disable_tqdm=True,
            report_to=[],
            use_cpu=not torch.cuda.is_available(),
            bf16=native_bf16(not torch.cuda.is_available()),
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=rows(corpora["train"]),
            eval_dataset=rows(corpora["validation"]),
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        start = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - start
        answers = trainer.predict(trainer.eval_dataset)
        return seconds, macro_f1_score(answers.label_ids, answers.predictions.argmax(axis=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
