import pytest

from serving.article.text.blocks import find_blocks, names_in, parsable
from serving.article.text.furniture import is_furniture, without_furniture

PAGE = """Harbour News

Minister Rejects The Ferry Plan

By Runa Askvoll and Per Lunde
12:04, 19 Nov 2025 | Updated 13:37
Share   Tweet   Copy link

Transport Minister Odd Rekve rejected the plan on Monday.
Photo: A ferry in the sound. (Ida Holm / For the News)

The mayor backed it.

4
READ MORE: Why the old ferry sank.
Tags: ferries, politics"""


@pytest.mark.parametrize(
    "line",
    [
        "Photo: The minister at the quay on Monday.",
        "The minister at the quay (file photo)",
        "Fishing boats in the old harbour of Lervik on Sunday. Picture: Ida Holm",
        "By Runa Askvoll and Per Lunde",
        "3 min read",
        "2 comments",
        "Home > World > Europe",
        "Sign up for our newsletter",
        "17",
        "—",
    ],
)
def test_what_is_of_the_page(line):
    assert is_furniture(line)


@pytest.mark.parametrize(
    "line",
    [
        "Share prices fell after the minister spoke, and the bank blamed him.",
        "Minister rejects the ferry plan",
        "Home Office caps student visas",
        "Search for ferry survivors ends",
        "Senator sold 5,000 shares before the vote",
        "By Monday the union had left the talks.",
        "The photographs show the mayor beside the wreck.",
        "Ferry plan sinks as mayor and minister trade blame | Harbour News",
        "“Follow us,” she told the strikers at 10:30.",
        "",
    ],
)
def test_what_is_prose(line):
    assert not is_furniture(line)


def test_it_is_left_out_and_offsets_stay_true():
    assert len(without_furniture(PAGE)) == len(PAGE)
    read = [PAGE[one.start : one.end] for one in find_blocks(PAGE)]
    assert read == [
        "Harbour News",
        "Minister Rejects The Ferry Plan",
        "Transport Minister Odd Rekve rejected the plan on Monday.",
        "The mayor backed it.",
    ]


def test_in_a_heading_only_names_keep_their_capital():
    names = names_in(PAGE, find_blocks(PAGE))
    assert {"Minister", "Odd", "Rekve", "Monday"} <= names
    heading = "Rekve Rejects The Ferry Plan"
    assert parsable(heading, names) == "Rekve rejects the ferry plan"
    assert parsable("Rekve rejects the Ferry Plan", names) == "Rekve rejects the Ferry Plan", "no title case"
    assert parsable(heading) == heading, "no heading"
