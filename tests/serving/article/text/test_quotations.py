"""Quotation marks of other houses, and whose words stand in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.article.reading import plain
from serving.article.reading.judging import Judged
from serving.article.reading.positions import find_positions
from serving.article.text.blocks import find_blocks
from serving.article.text.quotations import clean, find_quotations, with_usual_marks
from serving.runtime.reader import Limits

EVERY_PAIR = Judged(None, Limits(shown_above=0.0, sure_above=1.0))
SAID = "The quay will ruin the town"
MARKS = [
    "“”", '""', "‘’", "''", "«»", "»«", "»»", "„“", "„”", "””", "““", '“"', '"”', "″″", "‶″", "＂＂", "〝〞", "❝❞",
    "‹›", "›‹", "‚‘", "′′", "`´", "「」",
]  # fmt: skip
DOUBLED = ["‘‘ ’’", "'' ''", "`` ''", ",, ''", ",, ’’", "‚‚ ‘‘", "<< >>", "′′ ′′"]


@pytest.mark.parametrize("marks", [tuple(one) for one in MARKS] + [tuple(one.split()) for one in DOUBLED])
@pytest.mark.parametrize("end", [",{}", "{},"])
def test_what_is_quoted_is_the_speakers(marks, end):
    text = f"{marks[0]}{SAID}{end.format(marks[1])} said Nora Vik."
    usual = with_usual_marks(text)
    [quotation] = find_quotations(usual)
    assert text[slice(*quotation.inner)].rstrip(",") == SAID
    assert quotation.closed
    for positions in (find_positions(text).positions, plain.positions(text, find_blocks(text), None)):
        held = [one for one in positions if "quay" in one.target]
        assert not held or {(one.speaker, one.kind) for one in held} == {("Nora Vik", "direct")}
    assert "quay" in {one.target for one in find_positions(text).positions}


@pytest.mark.parametrize(
    "text",
    [
        "The pole is 5′10″ long, and the other 6′2″.", "“One paragraph.",
        "Home » Business » Legal", "The lads' and the ships' crews", "“He said ‘no’ to it,” she said. “And left.”",
        "„Nein“, sagte er. „Noch nicht“, sagte sie.", "a >> b << c",
    ],
)  # fmt: skip
def test_usual_marks_and_what_are_no_marks_stay(text):
    assert with_usual_marks(text) == text


@given(st.text(alphabet="ab \n.,\"'“”„«»‹›‚‘’″′`´「」<>,", max_size=60))
def test_usual_marks_take_the_same_room(text):
    assert len(with_usual_marks(text)) == len(text)


@pytest.mark.parametrize("dash", [" - ", " — ", " -- ", " —", "\n— ", "\n\n– ", "\n-- "])
@pytest.mark.parametrize("marks", ["“”", '""', "»«"])
def test_a_signature_behind_a_dash_says_whose_the_quotation_is(dash, marks):
    text = f"The vote is near.\n\n{marks[0]}{SAID}{marks[1]}{dash}Nora Vik, union chair\n\nThe council met."
    held = [one for one in find_positions(text, judged=EVERY_PAIR).positions if one.target == "quay"]
    assert [(one.speaker, one.kind) for one in held] == [("Nora Vik", "direct")]
    assert text[held[0].target_mention.start : held[0].target_mention.end] == "The quay"


def test_a_list_below_a_quotation_is_no_signature():
    text = f"“{SAID}.”\n- Oslo\n- Rome"
    assert [one.shape for one in find_blocks(text)] == ["paragraph", "item", "item"]


def test_entities_are_read_as_characters_and_offsets_are_those_of_the_text_given():
    text = (
        "&ldquo;The quay is a tri\u00adumph,&rdquo; said Knut Li&eacute; of the miners&#39; union.\n\n"
        "&quot;No, we never liked it,&quot; said Zoe\u0308 Ask."
    )
    positions = find_positions(text, judged=EVERY_PAIR).positions
    one = next(one for one in positions if one.target == "quay")
    assert one.speaker == "Knut Lié"
    assert one.target_mention.text == "The quay"
    assert one.sentence.text.startswith("&ldquo;The quay is a tri\u00adumph")
    for one in positions:
        for span in (one.target_mention, one.sentence, *one.content):
            assert text[span.start : span.end] == span.text


@pytest.mark.parametrize(
    ("cut", "shown"),
    [
        ("cap and trade” legislation", "cap and trade legislation"),
        ('the "War on\nReligion', "the War on Religion"),
        ("the “Queen of Rage” cover,", "the “Queen of Rage” cover"),
        ("“Queen of Rage”", "Queen of Rage"),
        ("the dockers’", "the dockers"),
        ("O’Neill’s “plan", "O’Neill’s plan"),
    ],
)
def test_a_name_is_shown_without_half_a_pair_of_marks(cut, shown):
    assert clean(cut) == shown
