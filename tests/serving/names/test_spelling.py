"""What is written in several ways is read as one, and found again in the original."""

import html
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.names.spelling import alike, spelled


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("&quot;Fish&nbsp;&amp; chips&#39;", "\"Fish\u00a0& chips'"),
        ("&amp;amp;quot;Fish&ldquo;", '"Fish“'),
        ("AT&T; R&D &unknown; &", "AT&T; R&D &unknown; &"),
        ("Bri\u00adtain and Fin\u200bland", "Britain and Finland"),
        ("Mal&shy;mo\u0308", "Malmö"),
        ("e\u200b\u0301", "é"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", "한글"),
        ("ﬁrm Ｏｓｌｏ 𝐑𝐨𝐦𝐞", "firm Oslo Rome"),
        ("tax‑cut people´s", "tax-cut people's"),
        ("“usual” – it’s — 5′10″", "“usual” – it’s — 5′10″"),
    ],
)
def test_one_spelling(written, read):
    assert spelled(written).text == read


PIECES = st.sampled_from(
    [
        "&quot;",
        "&#39;",
        "&amp;amp;",
        "\u00ad",
        "\u200b",
        "o\u0308",
        "ﬁ",
        "Ｏ",
        "‑",
        "´",
        "한",
        "\u1112\u1161",
        "a",
        " ",
        "&",
    ]
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=25).map("".join), st.data())
def test_a_stretch_of_it_is_found_in_the_original_whatever_was_changed(text, data):
    one = spelled(text)
    assert one.original((0, len(one.text)))[1] <= len(text)
    start = data.draw(st.integers(0, len(one.text)))
    end = data.draw(st.integers(start, len(one.text)))
    there = one.original((start, end))
    assert 0 <= there[0] <= there[1] <= len(text)
    piece = one.text[start:end]
    if piece.isascii() and piece.isalnum() and text.isascii() and "&" not in text:
        assert text[slice(*there)] == piece
    if one.text == text:
        assert there == (start, end)


@given(st.lists(PIECES | st.text(max_size=5), max_size=25).map("".join))
def test_words_between_odd_characters_keep_their_place(text):
    marked = f"{text} Xqz {text}"
    one = spelled(marked)
    start = one.text.index("Xqz")
    there = one.original((start, start + 3))
    assert marked[slice(*there)] == "Xqz"


@given(st.text())
def test_what_is_compared_has_the_same_length(text):
    assert len(alike(text)) == len(text)


def test_a_text_in_the_usual_spelling_stays_as_it_is():
    text = "“It’s a plan,” said Zoë Lööf – of AT&T."
    assert spelled(text).text == text == unicodedata.normalize("NFC", html.unescape(text))
