"""What describes a text is none of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.article.text.blocks import find_blocks
from serving.article.text.front import without_front_matter

BODY = "Nora Vik praised the quay.\n\nThe council met.\n"
YAML = 'title: "Nora Vik on\\\n  the quay"\ntags:\n- ferries\n- quays\nurl: https://example.org/a\n'


@pytest.mark.parametrize(
    "front",
    [
        f"---\n{YAML}---\n", f"---\n{YAML}...\n\n", f"\ufeff\n---   \n{YAML}---\n", f"---\n# made by us\n\n{YAML}---\n",
        "---\nkind: [a,\n  b]\n'own key': \"two\nlines\"\n---\n", "---\ntitle: Nora Vik on\nthe quay\n---\n",
        "+++\ntitle = 'Nora Vik'\ndate = 2024-01-02\n+++\n", ';;;\n{"title": "Nora Vik"}\n;;;\n',
        "% Nora Vik on the quay\n% Pål Ask; Ida Holm\n% July 2024\n\n",
        "Title: Nora Vik on the quay\nAuthor: Pål Ask\nDate: 2024-01-02\nSource URL: https://example.org/a\n\n",
        f"---\n{YAML}---\n".replace("\n", "\r\n"), "Title: Nora Vik\r\nDate: 2024-01-02\r\n\r\n",
    ],
)  # fmt: skip
def test_front_matter_is_no_text(front):
    text = front + BODY
    assert len(without_front_matter(text)) == len(text)
    assert [text[one.start : one.end] for one in find_blocks(text)] == BODY.strip().split("\n\n")


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nNora Vik praised the quay.\n\n---\n\nThe council met.",
        "---\ntitle: a page that is never closed\n\nThe council met.",
        "Title: the word that the mayor wants.\n\nThe council met.",
        "Nora Vik praised the quay.\n\n---\ntitle: later\n---\n",
        "---\nNora Vik praised the quay: it is a gift.\n---\nThe council met.",
        "---\nUpdate: the mayor came.\nNora Vik praised the quay, and left.\n---\nThe council met.",
        "Date: Monday\nVIK: The quay is safe.\nASK: It is not.",
        "",
    ],
)
def test_what_only_looks_like_it_stays(text):
    assert without_front_matter(text) == text


@given(st.text(alphabet="-+a: \n\r%.;T", max_size=40))
def test_offsets_stay_true(text):
    shown = without_front_matter(text)
    assert all(here in (there, " ") for here, there in zip(shown, text, strict=True))
