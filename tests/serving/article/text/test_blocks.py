"""Paragraphs, headings and datelines."""

import pytest

from serving.article.text.blocks import find_blocks


@pytest.mark.parametrize(
    "dateline",
    [
        "LERVIK - ", "LERVIK -- ", "LERVIK--", "LERVIK — ", "LERVIK (NTB) — ", "LERVIK (NTB)—", "ŁÓDŹ, Poland – ",
        "AIX-EN-PROVENCE, July 2 (NTB) - ", "ST. JOHN’S/LERVIK - ",
    ],
)  # fmt: skip
@pytest.mark.parametrize("sentence", ["The council hailed the quay.", "“We hail the quay,” it said.", "32 men left."])
def test_a_dateline_is_left_out(dateline, sentence):
    text = dateline + sentence
    assert [text[one.start : one.end] for one in find_blocks(text)] == [sentence]


@pytest.mark.parametrize(
    "text",
    [
        "EU-backed crews praised the quay.", "OPEC-13 rules are a disgrace.", "AFL-CIO leaders praised the quay.",
        "G-7 leaders left.",
        "EU–US deals are a disgrace.", "NATO—led by Oslo—praised the quay.", "U.S.-led crews left.",
        "NATO - the alliance of 32 - praised the quay.", "MRI- and CT-guided work is a disgrace.",
        "EU‑backed crews praised the quay.",
    ],
)  # fmt: skip
def test_a_hyphen_in_a_word_ends_no_dateline(text):
    assert [text[one.start : one.end] for one in find_blocks(text)] == [text]


def test_a_dateline_alone_on_its_line_is_no_heading():
    text = "LERVIK (NTB) --\n\nThe council hailed the quay."
    assert [text[one.start : one.end] for one in find_blocks(text)] == ["The council hailed the quay."]


def test_a_line_with_a_label_is_a_line_of_its_own_where_others_are_wrapped():
    text = "QUAY NEWS\nNora Vik: the quay is a wreck\nThe council met on the quay\nand did not leave it"
    assert [text[one.start : one.end] for one in find_blocks(text)][1].startswith("Nora Vik: the quay is a wreck")
