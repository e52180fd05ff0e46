"""What is read as an article, byte for byte, and what is refused with the way out."""

import codecs
import os
import sys
from io import BytesIO, TextIOWrapper

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import StancewiseError
from serving.article.text.files import (
    MOST_BYTES,
    MOST_CHARACTERS,
    STANDARD_INPUT,
    check_text,
    extract,
    find_files,
    is_page,
    read_text,
)
from serving.statement import Statement

TEXT = "Mayor Ilse Tarn praised the ferry plan.\r\nThe Norrlinje crews didn’t — 🚢 says one.\r\n"
PAGE = """<!doctype html>
<html><head><meta charset="{charset}"><title>Ferry row</title><script>var hidden = 1;</script></head><body>
<nav><a href="/">Start</a> <a href="/sport">Sport</a></nav>
<article><h1>Ferry row</h1>
<p>Mayor Ilse Tarn said the ferry plan was a disgrace, and she would fight it to the last day of her term in office.</p>
<p>The operator, Fährlinie Norr, praised the mayor's patience and promised every island a new timetable by summer.</p>
</article><footer>All rights reserved</footer></body></html>"""


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    ],
    ids=["utf-8", "utf-8 with a mark", "utf-16 little", "utf-16 big"],
)
def test_the_text_is_the_same_in_every_encoding_that_says_what_it_is(tmp_path, data):
    (tmp_path / "a.txt").write_bytes(data)
    assert read_text(tmp_path / "a.txt") == TEXT


@pytest.mark.parametrize(("end", "read"), [("\n", "\n"), ("\r\n", "\r\n"), ("\r", "\n")])
def test_line_ends_keep_their_length_so_that_offsets_are_those_of_the_file(tmp_path, end, read):
    text = "Oslo hailed it.{0}{0}Rome did not.{0}"
    (tmp_path / "a.txt").write_bytes(text.format(end).encode())
    assert read_text(tmp_path / "a.txt") == text.format(read)


def test_other_bytes_are_named_by_place_and_not_guessed(tmp_path):
    path = tmp_path / "old.txt"
    path.write_bytes("One line.\nThe café rejected it.".encode("cp1252"))
    with pytest.raises(StancewiseError, match=r"old.txt: byte 17 \(line 2\) is not UTF-8.*iconv") as caught:
        read_text(path)
    assert "rejected" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"%PDF-1.7\n\xe2\xe3", "a PDF; .*pdftotext"),
        (b"PK\x03\x04\x14\x00", "a Word or other zipped document; save it as plain text"),
        (b"{\\rtf1\\ansi hello}", "rich text"),
        (b"\x1f\x8b\x08\x00", "compressed; .*gunzip"),
        (b"\x89PNG\r\n\x1a\n", "an image; .*OCR"),
        (b"\x00\x01\xff\xfe" * 10, "binary, not text"),
        ("Oslo".encode("utf-16-le"), "binary, not text"),
        (b"\x02\x03 \x04\x05 a \x06\x07" * 9, "mostly control characters"),
        (b"", "there are no words in it"),
        (b" \n\t\r\n", "there are no words in it"),
        (codecs.BOM_UTF8, "there are no words in it"),
        ("— … —".encode(), "there are no words in it"),
        (b"<!DOCTYPE html><p>Oslo hailed it.</p>", "HTML, not plain text; .*--extract html"),
    ],
)
def test_what_is_no_text_is_refused_with_its_name_and_a_way_out(tmp_path, data, message):
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    with pytest.raises(StancewiseError, match=rf"a\.txt: {message}"):
        read_text(path)


def test_a_megabyte_on_one_line_is_read(tmp_path):
    text = "Oslo hailed the accord, and nobody minded. " * 25_000
    (tmp_path / "long.txt").write_text(text, encoding="utf-8")
    assert read_text(tmp_path / "long.txt") == text


def test_a_longer_text_is_refused_and_the_limit_said(tmp_path):
    with pytest.raises(StancewiseError, match=r"text: 5,000,001 characters; at most 5,000,000"):
        check_text("a" * (MOST_CHARACTERS + 1))
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(StancewiseError, match=r"huge\.txt: more than 20,000,000 bytes"):
        read_text(tmp_path / "huge.txt")


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_any_text_is_either_refused_or_fit_for_a_statement(text):
    try:
        check_text(text)
    except StancewiseError:
        return
    assert Statement(text=text).text == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\n <!-- saved --><HTML lang=sv><body>Hej", True),
        ('<?xml version="1.0"?>\n<!DOCTYPE html>\n<html>', True),
        ("<div><p>One</p><p>Two</p><ul><li>a</li><li>b</li><li>c</li></ul></div>", True),
        ("Reporters are told to write <b>bold</b> and <html> by hand.", False),
        ("He wrote <script>alert(1)</script> and <img src=x onerror=y> into the form.", False),
        ("If a < b and b > c, the vote is lost.", False),
    ],
)
def test_html_is_told_from_a_text_that_mentions_it(text, expected):
    assert is_page(text) is expected


@pytest.mark.parametrize("charset", ["utf-8", "windows-1252"])
def test_the_main_text_of_a_page_is_extracted_in_the_encoding_that_it_declares(tmp_path, charset):
    path = tmp_path / "page.html"
    path.write_bytes(PAGE.format(charset=charset).encode(charset))
    text = read_text(path, pages=True)
    assert "Mayor Ilse Tarn said the ferry plan was a disgrace" in text
    assert "Fährlinie Norr" in text
    assert "in office.\n\nThe operator" in text
    assert not any(word in text for word in ("hidden", "Sport", "<p>", "All rights"))


def test_extraction_leaves_plain_texts_alone(tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT.encode())
    assert read_text(tmp_path / "a.txt", pages=True) == TEXT


@pytest.mark.parametrize("charset", ["klingon-8", "base64", "undefined"])
def test_a_page_that_declares_no_real_encoding_is_refused(tmp_path, charset):
    path = tmp_path / "page.html"
    path.write_bytes(PAGE.format(charset=charset).encode())
    with pytest.raises(StancewiseError, match=r"page.html: .*save it as UTF-8"):
        read_text(path, pages=True)


@pytest.mark.parametrize("page", ["", "<html></html>", "<html><body><script>x()</script></body></html>"])
def test_a_page_without_a_main_text_is_refused(page):
    with pytest.raises(StancewiseError, match="no main text"):
        extract(page)


def test_without_trafilatura_the_fix_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(StancewiseError, match=r"pip install '\.\[article\]'"):
        extract(PAGE)


def test_a_folder_stands_for_its_texts_by_name(tmp_path):
    for name in ("b.txt", "a.MD", "c.html", ".hidden.txt", "d.csv"):
        (tmp_path / name).write_text("x")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "e.txt").write_text("x")
    assert [path.name for path in find_files(tmp_path)] == ["a.MD", "b.txt"]
    assert [path.name for path in find_files(tmp_path, pages=True)] == ["a.MD", "b.txt", "c.html"]
    (tmp_path / "more" / "e.txt").rename(tmp_path / "more" / "e.html")
    with pytest.raises(StancewiseError, match=r"no \.txt or \.md file .*add --extract html"):
        find_files(tmp_path / "more")


def test_what_is_not_there_or_may_not_be_read_is_said(tmp_path):
    with pytest.raises(StancewiseError, match=r"nowhere\.txt: no such file or folder"):
        find_files(tmp_path / "nowhere.txt")
    with pytest.raises(StancewiseError, match="cannot be read"):
        read_text(tmp_path / "nowhere.txt")


def test_a_pipe_is_read_like_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert find_files(pipe) == [pipe]


def test_standard_input_is_read_and_named(monkeypatch):
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(TEXT.encode())))
    assert read_text(STANDARD_INPUT) == TEXT
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"caf\xe9")))
    with pytest.raises(StancewiseError, match="standard input: byte 3"):
        read_text(STANDARD_INPUT)
