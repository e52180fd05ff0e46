"""Which names of many reports are one, and the table of them that a user edits."""

import csv
import dataclasses
import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving import StancewiseError
from serving.article.entities import Entities, Named, merged, names_of, plain, propose, spelling
from serving.article.entity_table import follow, note, read_table
from serving.article.text.people import without_title
from serving.article.text.reports import Report
from serving.article.trends import by_period, changes
from serving.names.spelling import key
from tests.serving.article.made import Draft
from tests.serving.article.test_trends import archive

BRIDGE = "Lowen Bridge"


def told(text, *holders, day="2026-05-04", target=BRIDGE):
    """A report whose text ends in a sentence of which holders support a target."""
    draft = Draft(f"{text} So it was said.")
    for holder in holders:
        draft.says(holder, target, "So it was said.", "support", mentions=(None, "it"))
    return Report("a report", draft.text, datetime.date.fromisoformat(day) if day else None), draft.article()


def proposed(*labelled, known=None):
    """What each name stands for, and why."""
    return {one.name: (one.entity, one.reason) for one in propose(names_of(labelled), known or {})}


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("mayor ada brunn", "ada brunn"),
        ("former prime minister ada brunn", "ada brunn"),
        ("dr. ada brunn", "ada brunn"),
        ("mrs brunn", "mrs brunn"),  # one surname with two titles may be two people
        ("prince harald", "prince harald"),
        ("oslo teacher training college", "oslo teacher training college"),
        ("deputy ada brunn", "ada brunn"),
        ("first harbour bank", "first harbour bank"),
        ("", ""),
    ],
)
def test_titles_before_full_names_are_left_out(name, bare):
    assert " ".join(without_title(name.split())) == bare


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Fishermen's Union", "FISHERMEN UNION"),
        ("the Lowen Bridge", "Lowen Bridge"),
        ("Farmers’ League", "Farmers League"),
        ("Zoe\u0308 Brunn", "Zoë  Brunn"),
    ],
)
def test_spelling_does_not_matter(one, other):
    assert spelling(one) == spelling(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("McAdam's", "McAdam"),
        ("Ann Brunn", "Anna Brunn"),
        ("Zoë Brunn", "Zoe Brunn"),
        ("日本", "日本银行"),
        ("Theo", "o"),
    ],
)
def test_other_names_stay_apart(one, other):
    assert plain(one) != plain(other)


def test_spelling_and_titles_are_merged_without_a_table_under_the_name_of_most_reports():
    labelled = [
        told("", "Mayor Ada Brunn"),
        told("", "Mayor Ada Brunn", target="the Lowen Bridge"),
        told("", "Ada Brunn"),
        told("", "Tom Brunn", "Brunn", "Zoe Brunn", "Zoë Brunn"),
        told("", "Professor Ada Brunn", day=None),
    ]
    rows = by_period(labelled, "month").to_dict("records")
    found = {(row["speaker"], row["target"]): row["reports"] for row in rows}
    assert found == {
        ("Mayor Ada Brunn", BRIDGE): 3,
        **{(name, BRIDGE): 1 for name in ("Tom Brunn", "Brunn", "Zoe Brunn", "Zoë Brunn")},
    }
    entities = merged(labelled)
    assert note(entities, None) == (
        "names that stand for another one: 1 by spelling, 1 by title (--entities FILE.csv lists them)"
    )
    assert entities.of("  mayor ADA brunn ") == "Mayor Ada Brunn"
    assert entities.of("somebody else") == "somebody else"


def test_accents_are_for_the_table():
    one = proposed(
        told("", "Jānis Kļava", "Janis Klava"), told("", "Jānis Kļava"), told("", "Anne-Lise Dahl", "Anne Lise Dahl")
    )
    assert one["Janis Klava"] == ("Jānis Kļava", "accents")
    assert one["Anne-Lise Dahl"][0] == one["Anne Lise Dahl"][0]


def test_a_last_name_needs_the_full_name_in_each_report_that_has_it():
    with_both = told("Ada Brunn came late. Later Brunn spoke.", "Brunn")
    full = told("", "Ada Brunn")
    assert proposed(with_both, full)["Brunn"] == ("Ada Brunn", "last name")
    titled = told("The mayor, Mayor Ada Brunn, came late. Brunn spoke.", "Brunn")
    assert proposed(titled, full)["Brunn"] == ("Ada Brunn", "last name")
    alone = told("Brunn spoke of it.", "Brunn")
    assert proposed(with_both, full, alone)["Brunn"] == ("Brunn", "may be Ada Brunn")
    assert proposed(told("A bad brunn it was, said Brunn.", "Brunn"), full)["Brunn"][1] == "may be Ada Brunn"


def test_without_its_text_a_report_has_its_sentences():
    draft = Draft("Ada Brunn came late, said Brunn. The Lowen Ferry Union (LFU) met.")
    for holder, sentence in (
        ("Brunn", "Ada Brunn came late, said Brunn."),
        ("LFU", "The Lowen Ferry Union (LFU) met."),
    ):
        draft.says(holder, BRIDGE, sentence, "support", mentions=(None, sentence))
    bare = Report("bare", "", datetime.date(2026, 5, 4)), draft.article().model_copy(update={"text": ""})
    found = proposed(bare, told("", "Ada Brunn", "Lowen Ferry Union"))
    assert (found["Brunn"], found["LFU"]) == (("Ada Brunn", "last name"), ("Lowen Ferry Union", "acronym"))


def test_two_people_of_one_last_name_stay_apart():
    both = told("Ada Brunn came late. Later Brunn spoke.", "Brunn"), told("", "Ada Brunn")
    found = proposed(*both, told("", "Tom Brunn"))
    assert found["Brunn"] == ("Brunn", "may be Ada Brunn or Tom Brunn")
    assert found["Ada Brunn"][0] != found["Tom Brunn"][0]
    many = [told("", f"{name} Brunn") for name in ("Ada", "Bo", "Cy", "Di", "Ed")]
    assert proposed(*both, *many)["Brunn"][1] == "may be Ada Brunn or Bo Brunn or Cy Brunn or 2 more"


def test_common_words_are_no_last_names():
    found = proposed(told("The Harvest Party met. The party said no.", "party", "Harvest Party", "League of Parties"))
    assert found["party"] == ("party", "")


def test_acronyms_are_followed_where_a_text_explains_them():
    full = told("The Lowen Union of Ferry Workers (LUFW) met.", "Lowen Union of Ferry Workers")
    later = told("LUFW said no.", "LUFW", day="2026-06-01")
    assert proposed(full, later)["LUFW"] == ("Lowen Union of Ferry Workers", "acronym")
    other = told("The League of Urban Foot Walkers (LUFW) too.", "League of Urban Foot Walkers")
    found = proposed(full, later, other)["LUFW"]
    assert found == ("LUFW", "may be League of Urban Foot Walkers or Lowen Union of Ferry Workers")
    assert proposed(told("Ada Brunn (LUFW) met.", "Ada Brunn"), later)["LUFW"] == ("LUFW", "")
    assert proposed(told("", "Lowen Union of Ferry Workers"), later)["LUFW"] == ("LUFW", "")


def test_what_stands_for_a_short_name_stands_for_the_full_one():
    full = told("The Lowen Ferry Union (LFU) met.", "Lowen Ferry Union")
    later = told("The LFU said no.", "LFU"), told("", "LFU"), told("", "the LFU", target="LFU")
    found = proposed(full, *later)
    assert found["LFU"] == ("Lowen Ferry Union", "acronym")
    assert merged([full, *later]).of("the LFU") == "LFU"
    both = propose(names_of([full, told("LFU or Lfü", "LFU"), told("", "LFU", "Lfü")]), {})
    assert {one.name: one.entity for one in both if one.name in ("LFU", "Lfü")} == {
        "LFU": "Lowen Ferry Union",
        "Lfü": "Lowen Ferry Union",
    }
    # The user counts somebody under the short name: it stays.
    known = {key("Ada Brunn"): "LFU"}
    assert proposed(full, *later, known=known)["LFU"] == ("LFU", "")


def test_what_is_known_is_followed():
    known = {key("Ada Brunn"): "The mayor of Lowen"}
    found = proposed(told("", "Ada Brunn", "Mayor Ada Brunn", "the mayor of Lowen"), known=known)
    assert found == {
        "Mayor Ada Brunn": ("The mayor of Lowen", "title"),
        "the mayor of Lowen": ("The mayor of Lowen", "spelling"),
        BRIDGE: (BRIDGE, ""),
    }
    apart = {key("Ada Brunn"): "one", key("Mayor Ada Brunn"): "other"}
    assert proposed(told("", "Dr Ada Brunn"), known=apart)["Dr Ada Brunn"] == ("Dr Ada Brunn", "may be one or other")


NAMES = st.lists(
    st.sampled_from(
        ["Ada Brunn", "Mayor Ada Brunn", "ADA BRUNN", "Brunn", "Tom Brunn", "the EU", "EU", "日本", "Ł-1", "…"]
    ),
    max_size=4,
)


@settings(max_examples=25, deadline=None)
@given(st.lists(NAMES, max_size=6), st.randoms())
def test_proposals_do_not_depend_on_the_order_of_the_reports(several, random):
    day = datetime.date(2026, 1, 1)
    reports = [
        Named(day + datetime.timedelta(days=place // 2), frozenset(names)) for place, names in enumerate(several)
    ]
    found = propose(reports, {})
    assert {key(one.name) for one in found} == {key(name) for names in several for name in names}
    assert all(one.entity == one.name or one.reason for one in found)
    shuffled = list(reports)
    random.shuffle(shuffled)
    assert propose(shuffled, {}) == found


@pytest.fixture
def labelled():
    return [
        told("Ada Brunn came. Brunn spoke.", "Brunn", "Ada Brunn"),
        told("", "Mayor Ada Brunn", "=SUM(1)", "NA", "Ēriks, Jr."),
    ]


def rows(path, **options):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, **options))


def test_the_table_is_written_once_edited_and_followed(tmp_path, labelled):
    path = tmp_path / "entities.csv"
    entities = follow(path, labelled)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfname,entity,reports,reason\n")
    assert b'"NA","NA"' in path.read_bytes()
    table = {row["name"]: row for row in rows(path)}
    assert table["Brunn"] == {"name": "Brunn", "entity": "Ada Brunn", "reports": "1", "reason": "last name"}
    assert table["'=SUM(1)"]["entity"] == "'=SUM(1)"
    names = [row["entity"] for row in rows(path)]
    assert names == sorted(names, key=names.index)  # those of one entity stand together
    assert note(entities, path).endswith(
        "of which stand for another one: 1 by last name, 1 by title; check the rows with a reason"
    )
    assert follow(path, labelled).proposed == []
    assert note(follow(path, labelled), path) is None

    # The user says that the mayor is somebody else, in a spreadsheet with semicolons and one more column.
    lines = [
        ["entity", "name", "mine"],
        ["Old Brunn", "mayor ada brunn", "x"],
        ["Ada Brunn", "Brunn", ""],
        ["", "", ""],
    ]
    edited = "\ufeff" + "".join(";".join(line) + "\r\n" for line in lines).rstrip("\r\n")
    path.write_bytes(edited.encode())
    entities = follow(path, labelled)
    assert entities.of("Mayor Ada Brunn") == "Old Brunn"
    assert entities.of("=SUM(1)") == "=SUM(1)"
    after = path.read_bytes()
    assert after.startswith(edited.encode() + b"\r\n")
    assert after.count(b"\r\n") == after.count(b"\n")
    added = rows(path, delimiter=";")[3:]
    assert {row["name"] for row in added} == {"Ada Brunn", "'=SUM(1)", "NA", "Ēriks, Jr.", BRIDGE}
    assert {row["mine"] for row in added} == {""}
    periods = by_period(labelled, "month", entities=entities)
    assert list(periods["speaker"])[:2] == ["Ada Brunn", "Old Brunn"]
    assert follow(path, labelled).proposed == []
    assert path.read_bytes() == after


def test_an_entity_that_is_itself_a_name_is_followed(tmp_path):
    path = tmp_path / "entities.csv"
    path.write_text("name,entity\nA,B\nB,C\nC,C\nd,D\n", encoding="utf-8")
    assert read_table(path) == ({"a": "C", "b": "C", "c": "C", "d": "D"}, {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,reports\nA,1\n", "entities.csv:1: no column 'entity'; its columns: 'name', 'reports'; name the columns"),
        ("", "entities.csv:1: no column 'name'; its columns: none"),
        (
            "Name,entity\nA,B\n",
            "entities.csv:1: columns that would not be read for their names: write 'Name' as 'name'",
        ),
        ("name,entity\nA,A\n,B\n", "entities.csv:3: name: empty; write the name, or delete the row"),
        ("name,entity\nA,\n", "entities.csv:2: entity: empty; write the name that it stands for"),
        ("name,entity\nA,NA\n", "entities.csv:2: entity: empty"),
        ("name,entity\nA,B\nC,C\n a ,C\n", "entities.csv:4: entity: line 2 gives this name another entity"),
        ("name,entity\nA,B\nB,A\n", "entities.csv:2: entity: goes round in a circle with line 3"),
        ("name,entity\nA,B,C\n", "entities.csv:2: more fields than the header's 2"),
        ("name,name\nA,B\n", "entities.csv:1: column 'name' stands twice in the header"),
        ("name,entity\nA,B\nSecret\xe9,B\n".encode("latin-1"), "entities.csv:3: not UTF-8: byte 0xE9 at column 7"),
        (b"PK\x03\x04" + bytes(40), "entities.csv: "),
    ],
)
def test_a_wrong_table_is_named_with_its_line_and_stays_as_it_is(tmp_path, labelled, content, message):
    path = tmp_path / "entities.csv"
    content = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(content)
    with pytest.raises(StancewiseError) as caught:
        follow(path, labelled)
    assert message in str(caught.value)
    assert "Secret" not in str(caught.value)
    assert path.read_bytes() == content


def test_two_people_of_one_name_are_told_apart_by_the_report(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text(
        "name,entity,only_in\nAda Holm,Ada Holm of Lowen,\nAda Holm,The other Ada Holm,b.md\nIt,Ada Holm,c.md:3\n"
    )
    draft = [told("", "Ada Holm"), told("", "ADA HOLM"), told("", "It"), told("", "It")]
    labelled = [
        (dataclasses.replace(report, name=name), article)
        for (report, article), name in zip(draft, ("a.md", "news/b.md", "c.md:3", "c.md:4"), strict=True)
    ]
    rows = by_period(labelled, "month", entities=follow(path, labelled)).to_dict("records")
    assert {row["speaker"]: row["reports"] for row in rows} == {
        "Ada Holm of Lowen": 2,
        "The other Ada Holm": 1,
        "It": 1,
    }
    assert note(follow(path, labelled), path) is None
    assert note(follow(path, labelled[:1]), path).startswith(
        f"{path}: only_in: no report that counts is called 'b.md' (the same of 1 more); write"
    )
    path.write_text(path.read_text() + "ada holm,A third,b.md\n")
    with pytest.raises(StancewiseError, match=r"names\.csv:\d: entity: line 3 gives this name another .* only_in"):
        read_table(path)


def test_a_table_needs_its_ending_and_a_folder(tmp_path, labelled):
    with pytest.raises(StancewiseError, match=r"is a \.csv file"):
        follow(tmp_path / "entities.yaml", labelled)
    with pytest.raises(StancewiseError, match="does not exist"):
        follow(tmp_path / "no" / "entities.csv", labelled)
    assert list(tmp_path.iterdir()) == []


def test_without_names_a_table_has_only_its_header(tmp_path):
    path = tmp_path / "entities.csv"
    assert follow(path, []).proposed == []
    assert rows(path) == []
    assert follow(path, [told("", "Ada Brunn")]).of("ada brunn") == "Ada Brunn"


def test_the_changes_of_the_archive_are_found_under_two_names_each():
    """The mayor with and without title, the union with and without its apostrophe."""
    other = {
        "Kurzeme Coast Fishermen's Union": "the Kurzeme Coast Fishermen Union",
        "Mayor Ilze Brantmane": "Ilze Brantmane",
    }
    mixed = []
    for place, (report, article) in enumerate(archive()):
        statements = [
            one.model_copy(update={"speaker": other.get(one.speaker, one.speaker)}) if place % 3 == 0 else one
            for one in article.statements
        ]
        mixed.append((report, article.model_copy(update={"statements": statements})))
    assert {name for _, article in mixed for name in other.values() if name in str(article.statements)} == {
        *other.values()
    }
    expected = changes(list(archive()))
    assert changes(mixed).to_dict("list")["speaker"][:2] == expected.to_dict("list")["speaker"][:2] == [*other]
    assert changes(mixed)["p"].dropna().tolist() == expected["p"].dropna().tolist()
    assert merged(mixed).of("Ilze Brantmane") == "Mayor Ilze Brantmane"
    apart = Entities([], {key(name): name for name in [*other, *other.values()]})
    assert len(changes(mixed, entities=apart)) == len(expected) + 2
