"""A table's statements counted, priced, confirmed and asked; before that, if wanted, what people labelled."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.rows.read import read_rows
from serving.terminal import say
from training.config import DataSet
from training.data.corpus import Corpus
from training.data.sources.table import read_table
from training.teaching.agreement import Labels, agreements, show
from training.teaching.ask import AnswerFile, Question, ask, open_answers, read_questions
from training.teaching.endpoint import Endpoint
from training.teaching.prompt import estimated_tokens

_SHOWN = 20  # statements without an answer


@dataclass(frozen=True)
class Price:
    """Of a million tokens, in any currency; None where it was not given."""

    tokens_in: float | None = None
    tokens_out: float | None = None

    def of(self, tokens_in: float, tokens_out: float) -> str:
        """What tokens cost, for the end of a line; empty without a price."""
        if self.tokens_in is None and self.tokens_out is None:
            return ""
        cost = (tokens_in * (self.tokens_in or 0) + tokens_out * (self.tokens_out or 0)) / 1_000_000
        return f", cost {cost:,.2f}" if cost >= 0.1 else f", cost {cost:.2g}"


@dataclass
class Teaching:
    """Labels from one endpoint.

    Args:
        endpoint: which model.
        price: of its tokens.
        at_once: how many statements are under way at a time.
        confirmed: asks the user a question, and says whether the answer is yes.
        console: for everything that is said.
    """

    endpoint: Endpoint
    price: Price
    at_once: int
    confirmed: Callable[[str], bool]
    console: Console
    unanswered: list[str] = field(default_factory=list)  # `file:line: reason`
    _asked: int = 0  # statements so far

    def label(self, statements: Path, check: Path | None, output: Path) -> None:
        """Ask every statement that `output` has no answer to; with `check`, first what people labelled.

        Raises:
            StancewiseError: a file cannot be read or written, the user does not confirm, the endpoint cannot be used.
        """
        questions = read_questions(statements, self._say)
        people = read_table(DataSet(source="table", path=check)) if check else None
        if self.endpoint.in_the_clear:
            what = "the texts and the key" if self.endpoint.key else "the texts"
            self._say(f"warning: http:// is not encrypted: others on the way can read {what}; use https://")
        try:
            with open_answers(output, self.endpoint.llm) as answers:
                if people is not None:
                    self._check(people, output.with_name(f"{output.stem}-check{output.suffix}"))
                self._send(statements, questions, answers)
                answered = len(questions) - len(answers.lacking(questions))
        finally:
            if self.endpoint.usage.replies:
                self._say(f"used: {self._used()}")
        self._say(f"{answered:,} of {len(questions):,} statements answered: {output}")
        self._say_unanswered()

    def _check(self, people: Corpus, beside: Path) -> None:
        """Ask what people labelled, into a file of its own, since it must not teach; show how far the labels agree."""
        questions = [Question(row.statement(), line) for row, line in zip(people.rows, people.lines, strict=True)]
        with open_answers(beside, self.endpoint.llm) as answers:
            self._send(people.path, list({one.id: one for one in questions}.values()), answers)
        self._say(f"agreement of {self.endpoint.llm} with the labels of {people.path}, with 95 % intervals:")
        show(agreements(people, _labels(beside)), self.console)

    def _send(self, path: Path, questions: Sequence[Question], answers: AnswerFile) -> None:
        """Ask what has no answer yet, after the user has confirmed it."""
        left = answers.lacking(questions)
        already = f" ({len(questions) - len(left):,} of {len(questions):,} are answered already)"
        already = already if len(left) < len(questions) else ""
        if not left:
            self._say(f"{path}: nothing to ask{already}")
            return
        tokens = self._estimate(left)
        about = ", about {} tokens and {} in answers".format(*(f"{float(f'{one:.2g}'):,.0f}" for one in tokens))
        self._say(f"{path}: {len(left):,} statements{already}{about}{self.price.of(*tokens)}")
        host, key = self.endpoint.host, f", with the key in {self.endpoint.key_name}" if self.endpoint.key else ""
        here = ", a server on this machine, which may pass them on"
        where = here if self.endpoint.local else " and so leave this machine"
        self._say(f"their texts, holders and targets go to {host}{where}{key}")
        if not self.confirmed(f"send {len(left):,} statements to {host}?"):
            raise StancewiseError(f"{path}: not confirmed: nothing was sent to {host}")
        notes = len(self.endpoint.notes)
        with self._bar(len(left)) as moved:
            missing = ask(self.endpoint, left, answers, self.at_once, moved)
        for note in self.endpoint.notes[notes:]:
            self._say(f"note: {note}")
        self._asked += len(left)
        self.unanswered += [f"{path}:{question.line}: {reason}" for question, reason in missing]

    def _estimate(self, questions: Sequence[Question]) -> tuple[float, float]:
        """Tokens in and out: as measured, where statements were asked before; else by the number of bytes."""
        usage = self.endpoint.usage
        if self._asked and usage.tokens_in:
            share = len(questions) / self._asked
            return usage.tokens_in * share, usage.tokens_out * share
        each = [estimated_tokens(one.statement) for one in questions]
        samples = self.endpoint.samples
        return sum(one for one, _ in each) * samples, sum(one for _, one in each) * samples

    @contextmanager
    def _bar(self, total: int) -> Iterator[Callable[[], None]]:
        """A bar on a terminal, with the tokens so far; gives what is called after each statement."""
        columns = (TextColumn("asking"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[used]}"))
        times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        with Progress(*columns, *times, console=self.console, disable=not self.console.is_terminal) as bar:
            task = bar.add_task("", total=total, used="")
            yield lambda: bar.update(task, advance=1, used=self._used())

    def _used(self) -> str:
        usage = self.endpoint.usage
        uncounted = f" ({usage.uncounted:,} answers without a count)" if usage.uncounted else ""
        cost = self.price.of(usage.tokens_in, usage.tokens_out)
        return f"{usage.tokens_in:,} tokens and {usage.tokens_out:,} in answers{uncounted}{cost}"

    def _say_unanswered(self) -> None:
        for line in self.unanswered[:_SHOWN]:
            self._say(f"not answered: {line}")
        if self.unanswered:
            more = f"... and {len(self.unanswered) - _SHOWN:,} more; " if len(self.unanswered) > _SHOWN else ""
            self._say(f"{more}{len(self.unanswered):,} without an answer: the same command asks them again")

    def _say(self, line: str) -> None:
        say(line, self.console)


def _labels(path: Path) -> Labels:
    """The label with the largest probability, by id and head."""
    found = {}
    for row in read_rows(path):
        heads = ((head, row.values[f"{head}_probabilities"]) for head in HEADS)
        found[str(row.values["id"])] = {head: max(shares, key=shares.__getitem__) for head, shares in heads}
    return found
