"""What the reader learns from: every pair of a report, the labelled pairs of statements."""

import pytest
import torch
from transformers import TrainerCallback

from serving import StancewiseError
from serving.runtime.pair_net import load_net
from tests.conftest import REPOSITORY
from training.config import ReaderConfig
from training.data.corpus import LabelledStatement
from training.data.sources.reports import Report, read_reports
from training.data.sources.taught import heads_at, pairs_of
from training.fitting.pairs import (
    EITHER,
    NOTHING,
    UNKNOWN,
    PairLoss,
    fit_reader,
    of_report,
    of_statements,
    of_taught,
    one_of,
)

TEXT = "Ada Brekke arrived. She said the tram plan was a mistake, but Ole Vang praised it and met the council."


def at(words, after=0):
    start = TEXT.index(words, after)
    return start, start + len(words)


def report(**changes):
    second = at(TEXT[TEXT.index("She") :])
    positions = [
        {"holder": "ada", "target": "plan", "stance": "criticism", "holder_at": at("She"),
         "target_at": at("the tram plan")},
        {"holder": "ole", "target": "plan", "stance": "support", "holder_at": at("Ole Vang"),
         "target_at": at("it", 60)},
        {"holder": "ole", "target": "council", "stance": "support", "holder_at": at("Ole Vang"),
         "target_at": at("the council"), "optional": True},
    ]  # fmt: skip
    values = {
        "id": "r1",
        "text": TEXT,
        "entities": {"ada": ["Ada Brekke"], "plan": ["the tram plan"], "ole": ["Ole Vang"], "council": ["the council"]},
        "positions": [{**one, "sentence": second} for one in positions],
    }
    return Report.model_validate(values | changes)


def labelled(examples):
    """(holder, target) -> what it expresses."""
    found = {}
    for one in examples:
        for pair, answer in zip(one.sentence.pairs, one.answers, strict=True):
            words = [
                None if each is None else one.sentence.text[slice(*each.phrase)] for each in (pair.holder, pair.target)
            ]
            found[tuple(words)] = answer
    return found


def test_what_is_listed_is_expressed_and_everything_else_is_not():
    found = labelled(of_report(report()))
    assert found.pop(("She", "the tram plan")) == one_of("criticism")
    assert found.pop(("Ole Vang", "it")) == one_of("support")
    assert found.pop(("Ole Vang", "the council")) == UNKNOWN
    assert len(found) > 10
    assert set(found.values()) == {NOTHING}


def test_a_speaker_named_in_another_sentence_is_whose_words_they_are():
    text = "“The plan is a gift. The sale is a mistake,” said Ole Vang. The fair was a success."
    listed = [("ole", "The plan", "support"), ("ole", "The sale", "criticism"), ("ole", "The fair", "support")]
    entities = {"ole": ["Ole Vang"]} | {name: [name] for _, name, _ in listed}
    positions = []
    for holder, name, stance in listed:
        start = text.index(name)
        sentence = [start, text.index(".", start)]
        positions.append(
            {"holder": holder, "target": name, "stance": stance, "sentence": sentence, "target_at": [start, start + 8]}
        )
    found = labelled(
        of_report(Report.model_validate({"id": "r2", "text": text, "entities": entities, "positions": positions}))
    )
    assert found[None, "The plan"] == one_of("support")
    assert found[None, "The fair"] == UNKNOWN  # nothing in the text says whose words these are


def test_the_words_of_a_turn_are_those_of_its_speaker():
    text = "MS. HALE: The toll is a mistake.\nMR. VANG: We need it.\nMS. HALE: Nobody asked us."
    start = text.index("The toll")
    place = {"sentence": [start, start + 22], "target_at": [start, start + 8]}
    values = {"id": "r3", "text": text, "entities": {"hale": ["MS. HALE"], "toll": ["The toll"]}}
    position = {"holder": "hale", "target": "toll", "stance": "criticism", **place}
    found = labelled(of_report(Report.model_validate(values | {"positions": [position]})))
    assert found[None, "The toll"] == one_of("criticism")


def test_a_phrase_that_the_parser_tears_apart_keeps_its_noun():
    text = "The embassy calls the move visionary."
    start = text.index("the move")
    values = {"id": "r4", "text": text, "entities": {"embassy": ["The embassy"], "move": ["the move"]}}
    place = {"sentence": [0, len(text)], "holder_at": [0, 11], "target_at": [start, start + 8]}
    position = {"holder": "embassy", "target": "move", "stance": "support", **place}
    found = labelled(of_report(Report.model_validate(values | {"positions": [position]})))
    assert found["The embassy", "move"] == one_of("support")


def test_the_sentence_before_comes_along():
    first, second = of_report(report())
    assert (first.sentence.before, second.sentence.before) == ("", first.sentence.text)


def test_neutrality_of_a_statement_may_be_a_mere_mention():
    rows = [
        LabelledStatement(id="1", text=TEXT, speaker="Ole Vang", target="the council", stance="neutrality"),
        LabelledStatement(id="2", text=TEXT, target="the tram plan", stance="criticism"),
        LabelledStatement(id="3", text=TEXT, speaker="Nobody here", target="the council", stance="support"),
    ]
    [example] = of_statements(rows)
    assert labelled([example]) == {
        ("Ole Vang", "the council"): EITHER,
        (None, "the tram plan"): one_of("criticism"),
    }


def test_the_loss_leaves_out_what_is_unknown_joins_what_is_either_and_follows_a_teacher():
    logits = torch.tensor([[0.0, 1, 2, 3], [1.0, 0, 2, 0], [0.0, 0, 0, 9], [1.0, 2, 0, 0]])
    taught = (0.5, 0.3, 0.0, 0.2)
    chances = logits.softmax(dim=1)
    expected = -(
        chances[0, 3].log()
        + (chances[1, 0] + chances[1, 2]).log()
        + sum(share * chance.log() for share, chance in zip(taught, chances[3], strict=True))
    ) / (3 * 4)  # fmt: skip
    answers = torch.tensor([one_of("criticism"), EITHER, UNKNOWN, taught])
    torch.testing.assert_close(PairLoss(4)(logits, answers), expected)


def test_what_another_reader_says_of_a_text_is_learned():
    said = (0.2, 0.1, 0.0, 0.7)
    [heads] = [
        heads_at(block.start, pair)
        for block, _, found in pairs_of(TEXT)
        for pair in found.heads
        if (str(pair[0]), str(pair[1])) == ("She", "plan")
    ]
    assert heads == (TEXT.index("She"), TEXT.index("plan"))
    found = labelled(of_taught(TEXT, {heads: said}))
    assert found.pop(("She", "the tram plan")) == said
    assert set(found.values()) == {NOTHING}


def config(encoder, **changes):
    data = {"train": ["reports.jsonl"], "validation": "validation.jsonl"}
    values = {"data": data, "encoder": {"folder": str(encoder)}, "epochs": 2, "rows": 4}
    return ReaderConfig.model_validate(values | changes)


class Stop(TrainerCallback):
    def on_save(self, args, state, control, **kwargs):
        raise KeyboardInterrupt


def test_the_same_seed_gives_the_same_reader_and_a_stopped_training_goes_on(encoder, tmp_path):
    reports = read_reports(REPOSITORY / "data" / "reports" / "train.jsonl")[:4]
    examples = [one for each in reports for one in of_report(each)]
    with pytest.raises(KeyboardInterrupt):
        fit_reader(config(encoder), 1, examples, tmp_path / "stopped" / "model", [Stop()])
    assert [one.name for one in (tmp_path / "stopped").iterdir()] == ["checkpoints"]
    weights = {}
    for name in ("whole", "stopped", "again"):
        fit_reader(config(encoder), 1, examples, tmp_path / name / "model", [])
        weights[name] = load_net(tmp_path / name / "model").state_dict()
    for other in ("stopped", "again"):
        for name, value in weights["whole"].items():
            torch.testing.assert_close(weights[other][name], value, rtol=0, atol=1e-6, msg=name)


def test_without_a_pair_there_is_nothing_to_learn(encoder, tmp_path):
    with pytest.raises(StancewiseError, match="no sentence with a pair"):
        fit_reader(config(encoder), 1, [], tmp_path / "model", [])


def test_a_report_without_a_parser_teaches_the_mentions_that_fit_its_positions():
    first, second = "Мэр Ольга Климова раскритиковала проект нового моста.", "«Этот мост нужен."
    text = f"{first}\n\n{second} Спор окончен», — сказал Тимур Аганов."

    def place(words):
        start = text.index(words)
        return start, start + len(words)

    mayor, plan, bridge = "Мэр Ольга Климова", "проект нового моста", "Этот мост"
    positions = [
        {"holder": "mayor", "target": "plan", "stance": "criticism", "sentence": place(first),
         "holder_at": place(mayor), "target_at": place(plan)},
        {"holder": "aganov", "target": "bridge", "stance": "support", "sentence": place(second),
         "target_at": place(bridge)},
    ]  # fmt: skip
    names = {"mayor": [mayor], "plan": [plan], "aganov": ["Тимур Аганов"], "bridge": [bridge]}
    values = {"id": "r5", "language": "ru", "text": text, "entities": names, "positions": positions}
    every = labelled(of_report(Report.model_validate(values)))
    found = {pair: answer for pair, answer in every.items() if answer != NOTHING}
    assert list(found.values()) == [one_of("criticism"), one_of("support")]
    (holder, target), (unnamed, last) = found
    assert (holder, unnamed) == ("Ольга Климова", None)
    assert target in plan
    assert last in bridge
