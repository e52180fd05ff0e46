"""Sentences and quotations without a parser."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.article.text.sentences import quoted, sentences

SAYING = "说|表示"


def parted(text, abbreviations=("г", "m")):
    return [text[start:end] for start, end in sentences(text, (0, len(text)), abbreviations, SAYING)]


@pytest.mark.parametrize(
    "expected",
    [
        ["«Это позор!» — сказал А. С. Осин.", "«Мы против», — добавил он.", "В 2020 г. Рига молчала."],
        ["他说：“这是耻辱。”林晓东说。", "外交部批评了新规！", "“不可接受。”", "各方反对；", "行会沉默……没有回应。"],
        ["„Das ist falsch.“", "Am 3. Oktober kam sie.", "»Nein!« rief er."],
        ["« C'est une honte ! » a dit M. Duval.", "Il part."],
        ["¿Por qué?", "¡Basta!", "«No», dijo Ana Ruiz.", "Nadie respondió."],
        ["رفضت النقابة القرار.", "هل يعقل؟", "قال الوزير: «لا»."],
    ],
)
def test_a_text_is_cut_into_its_sentences(expected):
    chinese = any("\u4e00" <= one <= "\u9fff" for one in expected[0])
    assert parted(("" if chinese else " ").join(expected)) == expected


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("Он назвал мост «позором города» и ушёл.", "позором города"),
        ("Sie nannte ihn „mutig“ und ging.", "mutig"),
        ("Sie nannte ihn »mutig« und ging.", "mutig"),
        ("Er nannte ihn ‚mutig‘ und ging.", "mutig"),
        ("Elle parle d'un texte « inutile ».", " inutile "),
        ("Elle parle d'un texte ‹inutile›.", "inutile"),
        ("她称之为“耻辱”。", "耻辱"),
        ("她稱之為「恥辱」。", "恥辱"),
        ("她稱之為『恥辱』。", "恥辱"),
        ("وصفه بأنه «عار».", "عار"),
        ('Lo llamó "vergüenza" ayer.', "vergüenza"),
        ("«Нет, сказал он, и ушёл.", "Нет, сказал он, и ушёл."),
    ],
)
def test_quotation_marks_of_every_language(text, inner):
    [one] = quoted(text, (0, len(text)))
    assert text[slice(*one.inner)] == inner
    assert one.closed == (not inner.startswith("Нет"))


@given(st.text(alphabet="Аб cD.!?…。；“”«»„「」—\n中文ال؟ 3"))
def test_sentences_stand_apart_and_leave_out_nothing_but_white_space(text):
    found = list(sentences(text, (0, len(text)), (), SAYING))
    assert all(start < end for start, end in found)
    assert all(one[1] <= other[0] for one, other in pairwise(found))
    assert "".join("".join(text[a:b] for a, b in found).split()) == "".join(text.split())
