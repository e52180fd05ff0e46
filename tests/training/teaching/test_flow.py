"""What is said, confirmed and sent, in which order; what is measured and what must not be mixed."""

import io
import re

import pytest
from rich.console import Console
from sklearn.metrics import cohen_kappa_score, f1_score

from serving import StancewiseError, Statement
from tests.conftest import read_lines, write_lines
from tests.training.teaching.conftest import FIELDS, files
from training.config import DataSet
from training.data.sources import read_set
from training.data.sources.teacher import question_id
from training.teaching.endpoint import Endpoint
from training.teaching.flow import Price, Teaching


class Asked:
    """A user who answers in this order, and what was said and asked."""

    def __init__(self, llm, *answers: bool, url: str | None = None, **settings) -> None:
        self.console = Console(file=io.StringIO(), width=160)
        self.answers = list(answers)
        self.questions: list[str] = []
        endpoint = Endpoint(url or llm.url, llm.model, first_wait=0.01, **settings)
        self.teaching = Teaching(endpoint, Price(0.5, 2.0), 4, self.confirmed, self.console)

    def confirmed(self, question: str) -> bool:
        self.questions.append(question)
        return self.answers.pop(0) if self.answers else True

    def label(self, folder, check=None, statements="own.jsonl", output="answers.jsonl") -> str:
        """What was said."""
        self.teaching.label(folder / statements, folder / check if check else None, folder / output)
        return self.said()

    def refused(self, folder, **files) -> str:
        with pytest.raises(StancewiseError) as caught:
            self.label(folder, **files)
        return str(caught.value)

    def said(self) -> str:
        return self.console.file.getvalue()


def test_answers_and_statements_can_both_be_named_in_a_config(llm, folder):
    Asked(llm).label(folder)
    answers, own = folder / "answers.jsonl", folder / "own.jsonl"
    for path in (answers, own):
        rows = read_set(DataSet(source="table", path=path, teacher=answers)).rows
        assert len(rows) == 40
        assert all(row.taught.keys() == {"stance", "sentiment"} for row in rows)
        assert all(row.stance is row.sentiment is None and row.group for row in rows)
    with pytest.raises(StancewiseError, match="no row with a stance or a sentiment"):
        read_set(DataSet(source="table", path=answers))  # labels of a language model pass for nobody's


def test_answers_of_another_model_or_prompt_are_not_mixed(llm, folder):
    Asked(llm).label(folder)
    path = folder / "answers.jsonl"
    llm.model = "larger"
    said = Asked(llm).refused(folder)
    what = "answers.jsonl:1: an answer of the model 'large', not 'larger'"
    assert f"{what}; give another --output, or go on with --llm large" in said
    llm.model = "large"
    rows = read_lines(path)
    write_lines(path, [*rows[:-1], {**rows[-1], "prompt": "0123456789ab"}])
    assert "answers.jsonl:40: an answer to another prompt ('0123456789ab')" in Asked(llm).refused(folder)
    for odd in ([{"text": "a"}], [{**rows[0], "llm": 3}]):
        before = write_lines(path, odd).read_bytes()
        said = Asked(llm).refused(folder)
        assert "answers.jsonl:1: not an answer of a language model; give another --output" in said
        assert path.read_bytes() == before
    assert len(llm.asked) == 40


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_last_answer_without_its_line_end_is_kept(llm, folder, end):
    Asked(llm).label(folder)
    path = folder / "answers.jsonl"
    content = path.read_text(encoding="utf-8").rstrip("\n") + end
    path.write_text(content, encoding="utf-8")
    assert "nothing to ask (40 of 40 are answered already)" in Asked(llm).label(folder)
    assert path.read_text(encoding="utf-8") == content.rstrip("\n") + "\n"


def test_a_damaged_line_in_the_middle_is_not_passed_over(llm, folder):
    Asked(llm).label(folder)
    path = folder / "answers.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], lines[1][:20], *lines[2:]]), encoding="utf-8")
    assert "answers.jsonl:2: not JSON" in Asked(llm).refused(folder)


def test_what_got_no_answer_is_asked_again(llm, folder):
    texts = [row["text"] for row in read_lines(folder / "own.jsonl")]
    llm.faulty = {texts[4]: "prose", texts[30]: "refusal"}
    asked = Asked(llm)
    lost = sum(text in llm.faulty for text in texts)
    assert f"{40 - lost} of 40 statements answered" in asked.label(folder)
    assert len(asked.teaching.unanswered) == lost
    llm.faulty = {}
    assert "40 of 40 statements answered" in Asked(llm).label(folder)
    assert len(read_lines(folder / "answers.jsonl")) == 40


def test_a_server_that_fails_all_the_time_is_not_asked_forever(llm, folder):
    llm.faulty = {row["text"]: "500" for row in read_lines(folder / "own.jsonl")}
    said = Asked(llm).refused(folder)
    assert "does not answer (HTTP 500, server_error, 5 times)" in said
    assert "nothing is lost: the same command goes on" in said
    assert len(llm.asked) == 10  # two statements
    assert files(folder) == ["labelled.jsonl", "own.jsonl"]


def test_what_came_before_the_server_failed_is_kept(llm, folder):
    texts = sorted((row["text"] for row in read_lines(folder / "own.jsonl")), key=len)
    llm.faulty = dict.fromkeys(texts[20:], "503")
    asked = Asked(llm)
    assert "does not answer (HTTP 503, 5 times)" in asked.refused(folder)
    assert {row["text"] for row in read_lines(folder / "answers.jsonl")} == set(texts[:20])
    assert "used: " in asked.said()


def test_no_more_are_under_way_than_wanted(llm, folder):
    llm.seconds = 0.02
    Asked(llm).label(folder)
    assert llm.most_at_once == 4


def test_plain_http_to_another_machine_is_warned_of(llm, folder):
    asked = Asked(llm, False, url="http://models.example:8000/v1", key="sk-Secret-0123456789")
    assert "not confirmed: nothing was sent to models.example:8000" in asked.refused(folder)
    assert "warning: http:// is not encrypted: others on the way can read the texts and the key;" in asked.said()
    where = "their texts, holders and targets go to models.example:8000 and so leave this machine"
    assert f"{where}, with the key in OPENAI_API_KEY" in asked.said()
    assert asked.questions == ["send 40 statements to models.example:8000?"]


def test_people_are_asked_first_and_their_agreement_is_shown(llm, folder):
    asked = Asked(llm, True, False)
    assert "own.jsonl: not confirmed" in asked.refused(folder, check="labelled.jsonl")
    host = f"127.0.0.1:{llm.port}"
    assert asked.questions == [f"send 60 statements to {host}?", f"send 40 statements to {host}?"]
    said = asked.said()
    assert re.search(r"labelled\.jsonl: 60 statements, about [\d,]+ tokens and 1,500 in answers, cost 0\.0\d", said)
    assert re.search(r"own\.jsonl: 40 statements, about [\d,]+ tokens and 640 in answers", said)  # now as measured
    assert re.search(r"people \\ model +support +neutrality +criticism", said)
    texts = {row["text"] for row in read_lines(folder / "labelled.jsonl")}
    assert set(llm.texts()) == texts
    assert files(folder) == ["answers-check.jsonl", "labelled.jsonl", "own.jsonl"]
    again = Asked(llm).label(folder, check="labelled.jsonl")
    assert "labelled.jsonl: nothing to ask (60 of 60 are answered already)" in again
    assert "kappa" in again
    assert len(llm.asked) == 100
    # What is measured must not teach.
    assert not texts & {row["text"] for row in read_lines(folder / "answers.jsonl")}


def test_the_agreement_is_what_scikit_learn_says(llm, folder):
    said = Asked(llm).label(folder, check="labelled.jsonl")
    shares = {row["id"]: row["stance_probabilities"] for row in read_lines(folder / "answers-check.jsonl")}
    people = read_lines(folder / "labelled.jsonl")
    given = [shares[question_id(Statement(**{name: row[name] for name in FIELDS}))] for row in people]
    ours, theirs = [max(one, key=one.get) for one in given], [row["stance"] for row in people]
    figures = re.search(r"stance, 60 rows: kappa (\S+) \[(\S+), (\S+)\], macro-F1 (\S+) \[(\S+), (\S+)\]", said)
    kappa, low, high, f1, f1_low, f1_high = map(float, figures.groups())
    assert kappa == round(cohen_kappa_score(theirs, ours), 2)
    assert f1 == round(100 * f1_score(theirs, ours, average="macro"), 1)
    assert low < kappa < high <= 1
    assert f1_low < f1 < f1_high <= 100
    both = sum(one == other == "support" for one, other in zip(theirs, ours, strict=True))
    assert re.search(rf"support +{both} ", said)


def test_one_label_alone_has_no_kappa(llm, folder):
    rows = read_lines(folder / "labelled.jsonl")
    write_lines(folder / "labelled.jsonl", [{**row, "stance": "support", "sentiment": None} for row in rows])
    llm.samples = [{"stance": "support", "sentiment": "neutral"}] * 60
    said = Asked(llm).label(folder, check="labelled.jsonl")
    assert "stance, 60 rows: kappa none: one label only, macro-F1 100.0" in said
    assert "sentiment, " not in said


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            '{"text": "Ada praised Bo."}\n{"text": ""}\n',
            "own.jsonl:2: text: empty\nnothing was sent; correct these rows",
        ),
        ('{"text": "Ada praised Bo."}\n{oops\n', "own.jsonl:2: not JSON"),
        ('{"Text": "Ada praised Bo."}\n', "write 'Text' as 'text'"),
        ("", "own.jsonl: no statements in it"),
    ],
)
def test_bad_rows_stop_before_anything_is_sent(llm, folder, rows, message):
    (folder / "own.jsonl").write_text(rows, encoding="utf-8")
    said = Asked(llm).refused(folder)
    assert message in said
    assert "Ada praised" not in said
    assert llm.asked == []


def test_a_check_without_labels_is_refused(llm, folder):
    assert "no row with a stance or a sentiment" in Asked(llm).refused(folder, check="own.jsonl")
    assert llm.asked == []


def test_a_statement_that_stands_twice_is_asked_once(llm, folder):
    line = "Ada praised Bo.,Ada,Bo\n"
    (folder / "own.csv").write_text(f"text,speaker,target\n{line}{line}", encoding="utf-8")
    assert "1 of 1 statements answered" in Asked(llm).label(folder, statements="own.csv")
    assert len(llm.asked) == 1


@pytest.mark.parametrize(
    ("output", "message"),
    [("answers.csv", "give a name that ends with .jsonl"), ("none/answers.jsonl", "/none does not exist")],
)
def test_where_answers_cannot_go(llm, folder, output, message):
    assert message in Asked(llm).refused(folder, output=output)
    assert llm.asked == []
