"""The day and the source of reports, from every place where they may stand."""

import datetime
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving import StancewiseError
from serving.article.text.dates import AmbiguousDateError
from serving.article.text.reports import Report, read_report, read_table

DAY = datetime.date(2026, 3, 14)
BODY = "Mayor Ilse Tarn praised the ferry plan.\n"
PAGE = """<!doctype html><html><head>{head}</head><body><article>
<p>Mayor Ilse Tarn said on 2 February 2024 that the ferry plan was a disgrace, and she would fight it for ever.</p>
<p>The operator praised the mayor's patience and promised every island a new timetable by summer, if there is one.</p>
</article><footer>Copyright 2023</footer></body></html>"""


@pytest.fixture
def file(tmp_path):
    def write(text, name="a.md"):
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    "front",
    [
        '---\ntitle: "Ferries: a row"\ndate: 2026-03-14\nsource: The Quay  # weekly\n---\n',
        "---\r\nDate: '2026-03-14T23:30:00-05:00'\r\nsource: 'The Quay'\r\n---\r\n",
        "---\nPublished_At: 14 March 2026\npublication: The   Quay\n...\n",
        '+++\ndate = 2026-03-14T23:30:00-05:00\nsource = "The Quay"\n[extra]\ndate = 1999-01-01\n+++\n',
        "+++\ndate = 2026-03-14\npublisher = 'The Quay'\n+++\n",
        ';;;\n{"date": "2026-03-14", "site": "The Quay"}\n;;;\n',
        "Title: Ferries\nDate: Sat, 14 Mar 2026 10:00:00 GMT\nSite name: The Quay\n\n",
        "---\ndate:\npublished: 2026-03-14\nsource:\n  nested: no\npublisher: The Quay\n---\n",
        "---\nsource: The Quay\nparts:\n  date: 1999-01-01\ndate: 2026-03-14\ndate: 2001-01-01\n---\n",
    ],
)
def test_front_matter_gives_day_and_source(file, front):
    path = file(front + BODY)
    assert read_report(path) == Report(str(path), front + BODY, DAY, "The Quay")


def test_an_address_gives_its_host(file):
    assert read_report(file(f"---\nsource: https://www.Quay.example/a?b\n---\n{BODY}")).source == "quay.example"


def test_pandoc_gives_the_day(file):
    assert read_report(file(f"% Ferries\n% Ida Holm\n% 14 March 2026\n\n{BODY}")).date == DAY


def test_a_name_gives_the_day_where_the_text_does_not(file):
    assert read_report(file(BODY, "20260314_ferries.txt")).date == DAY
    assert read_report(file(f"---\ndate: 2026-03-14\n---\n{BODY}", "2020-01-01-ferries.md")).date == DAY


def test_nothing_is_guessed(file):
    report = read_report(file(f"On 14 March 2026 the council met.\n\nDate: 2026-03-14\n\n{BODY}"))
    assert (report.date, report.source) == (None, None)


@pytest.mark.parametrize(
    ("head", "date", "source"),
    [
        (
            '<meta property="article:published_time" content="2026-03-14T23:30:00-05:00">'
            '<meta property="og:site_name" content="The Quay">',
            DAY,
            "The Quay",
        ),
        (
            '<script type="application/ld+json">{"@type": "NewsArticle", "datePublished": "2026-03-14"}</script>',
            DAY,
            None,
        ),
        ('<meta name="date" content="03/04/2026">', None, None),
        ('<meta name="date" content="2026-02-30">', None, None),
        ("", None, None),
    ],
)
def test_a_page_gives_what_its_metadata_say(file, head, date, source):
    report = read_report(file(PAGE.format(head=head), "ferries.html"), pages=True)
    assert (report.date, report.source) == (date, source)
    assert "promised every island" in report.text
    assert read_report(file(PAGE.format(head=""), "2026-03-14.html"), pages=True).date == DAY


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ("---\ndate: 2026-02-30\n---\n", r"a\.md: date: there is no day 30 of month 2 in 2026"),
        ("---\npublished: soon\n---\n", r"a\.md: published: no date that can be read; write it as YYYY-MM-DD"),
        ("+++\ndate = 2026-02-30\n+++\n", r"a\.md: front matter: not TOML that can be read"),
        (";;;\n{no}\n;;;\n", r"a\.md: front matter: not JSON that can be read"),
    ],
)
def test_a_wrong_date_is_a_mistake_with_file_and_key(file, front, message):
    with pytest.raises(StancewiseError, match=message):
        read_report(file(front + BODY))


def test_a_date_with_two_meanings_is_refused_until_the_order_is_said(file):
    path = file(f"---\ndate: 03/04/2026\n---\n{BODY}")
    with pytest.raises(AmbiguousDateError, match=r"a\.md: date: 03/04/2026 is 3 April or 4 March; say which: --dates"):
        read_report(path)
    assert read_report(path, order="day-first").date == datetime.date(2026, 4, 3)
    assert read_report(path, order="month-first").date == datetime.date(2026, 3, 4)


ROWS = [
    {"id": "a1", "date": "2026-03-14", "source": "The Quay", "text": "Oslo hailed it."},
    {"id": "a2", "date": None, "source": None, "text": "Rome did not."},
]


def tables(folder):
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    (folder / "a.csv").write_text(
        "id;date;source;text\na1;2026-03-14;The Quay;Oslo hailed it.\na2;NA;;Rome did not.\n", encoding="utf-8"
    )
    pq.write_table(pa.Table.from_pylist([{**row, "date": row["date"] and DAY} for row in ROWS]), folder / "a.parquet")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_table_has_a_report_a_row(tmp_path, kind):
    tables(tmp_path)
    path = tmp_path / f"a.{kind}"
    one, two = Report(f"{path}: a1", "Oslo hailed it.", DAY, "The Quay"), Report(f"{path}: a2", "Rome did not.")
    assert read_table(path) == ([one, two], [])


def test_a_time_in_parquet_keeps_its_own_day(tmp_path):
    late = datetime.datetime(2026, 3, 14, 23, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=-5)))
    kind = pa.timestamp("s", tz="-05:00")
    pq.write_table(pa.table({"text": ["Oslo hailed it."], "date": pa.array([late], kind)}), tmp_path / "a.parquet")
    [report], _ = read_table(tmp_path / "a.parquet")
    assert (report.name, report.date) == (f"{tmp_path / 'a.parquet'}:1", DAY)


def test_bad_rows_are_told_by_line_and_never_repeated(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,date\nOslo hailed it.,2026-13-01\n,2026-03-14\nRome,2026-03-14,x\nSecret,Secret\nOslo,\n")
    reports, problems = read_table(path)
    assert [one.text for one in reports] == ["Oslo"]
    assert problems == [
        f"{path}:2: date: there is no day 1 of month 13 in 2026; correct the date",
        f"{path}:3: text: empty",
        f"{path}:4: more fields than the header's 2",
        f"{path}:5: date: no date that can be read; write it as YYYY-MM-DD",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,Date\na,2026-03-14\n", "write 'Date' as 'date'"),
        ("body,date\na,2026-03-14\n", "no column 'text'; rename 'body', if that is it, to 'text'"),
        ("text,date\na,03/04/2026\n", r"a\.csv:2: date: 03/04/2026 is 3 April or 4 March"),
        ("text,date\n", "no rows"),
    ],
)
def test_a_table_that_would_be_misread_is_refused(tmp_path, content, message):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(StancewiseError, match=message):
        read_table(tmp_path / "a.csv")
