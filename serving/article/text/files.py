"""An article from a file, a folder or standard input; what is no readable text is refused with the way out.

Offsets are those of the decoded file, its byte order mark left out: Windows line ends stay, and the lone carriage
returns of old files become line feeds, which are as long.
"""

import codecs
import re
import sys
from pathlib import Path

from serving.errors import StancewiseError

MOST_CHARACTERS = 5_000_000  # of one text: about 800,000 words, more than the longest novels
MOST_BYTES = 4 * MOST_CHARACTERS  # of one file: UTF-8 takes at most 4 for a character
MOST_CONTROLS = 0.05  # share of control characters above which nobody can read it
STANDARD_INPUT = Path("-")
TEXTS = (".txt", ".md")
PAGES = (".html", ".htm")

_CONTROL = re.compile("[\x01-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd]")  # tabs and line ends aside
_LONE_RETURN = re.compile(r"\r(?!\n)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_PAGE_START = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.I)
_TAG = re.compile(r"</?(?:a|article|br|div|h[1-6]|img|li|p|script|section|span|style|table|td|tr|ul)\b[^<>]*>", re.I)
_LEAST_TAGS, _WORDS_PER_TAG = 10, 40  # a text with as many tags, as close together, is a piece of a page
_DECLARED = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.I)  # bytes: \w is ASCII
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

# How files begin that are no texts, and what to do with them.
_NO_TEXTS = (
    (b"%PDF-", "a PDF; take the text out of it first, for example with: pdftotext FILE -"),
    (b"PK\x03\x04", "a Word or other zipped document; save it as plain text in the program that made it"),
    (b"\xd0\xcf\x11\xe0", "a document of an old office program; save it as plain text in the program that made it"),
    (b"{\\rtf", "rich text (RTF); save it as plain text in the program that made it"),
    (b"\x1f\x8b", "compressed; unpack it first, for example with: gunzip FILE"),
    (b"\x89PNG", "an image; a program for text recognition (OCR) must read it first"),
    (b"\xff\xd8\xff", "an image; a program for text recognition (OCR) must read it first"),
    (b"GIF8", "an image; a program for text recognition (OCR) must read it first"),
)


def check_text(text: str) -> None:
    """Refuse what cannot be read as an article.

    Raises:
        StancewiseError: no string, no word in it, too long, not Unicode, binary, or HTML.
    """
    if not isinstance(text, str):
        raise StancewiseError(f"text: a string is needed, not {type(text).__name__}; read_text reads one from a file")
    if len(text) > MOST_CHARACTERS:
        raise StancewiseError(
            f"text: {len(text):,} characters; at most {MOST_CHARACTERS:,} are read; split it into several texts"
        )
    if "\0" in text:
        raise StancewiseError(f"text: binary, not text (a NUL character at {text.index(chr(0)):,}); give plain text")
    if not text.isascii() and (found := _SURROGATE.search(text)):
        raise StancewiseError(f"text: not Unicode (a lone surrogate at {found.start():,}); decode it as UTF-8")
    if sum(1 for _ in _CONTROL.finditer(text)) > MOST_CONTROLS * len(text):
        raise StancewiseError("text: mostly control characters or undefined bytes; give plain text")
    if is_page(text):
        raise StancewiseError(
            "text: HTML, not plain text; extract its main text with --extract html "
            "(in Python: serving.article.text.files.extract)"
        )
    if not re.search(r"\w", text):
        raise StancewiseError("text: there are no words in it; give the text of an article")


def is_page(text: str) -> bool:
    """Whether a text is HTML: by how it begins, or by many tags close together."""
    start = text[:1000].lstrip("\ufeff \t\r\n")
    if start.startswith("<") and _PAGE_START.search(start):
        return True
    tags = sum(1 for _ in _TAG.finditer(text)) if "</" in text else 0
    return tags >= _LEAST_TAGS and tags * _WORDS_PER_TAG >= len(text.split())


def find_files(path: Path, pages: bool = False) -> list[Path]:
    """The files that a path stands for: itself, or a folder's texts (not those of folders in it) by name.

    Args:
        path: a file, a folder or `-` (standard input).
        pages: a folder's HTML files too.

    Raises:
        StancewiseError: there is no such file, or the folder holds no text.
    """
    if path == STANDARD_INPUT or path.is_file() or path.is_fifo():
        return [path]
    if not path.is_dir():
        raise StancewiseError(f"{path}: no such file or folder")
    wanted = TEXTS + PAGES if pages else TEXTS
    there = sorted(one for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
    if found := [one for one in there if one.suffix.lower() in wanted]:
        return found
    more = "; for its HTML files add --extract html" if any(one.suffix.lower() in PAGES for one in there) else ""
    raise StancewiseError(f"{path}: no {' or '.join(wanted)} file in this folder{more}")


def read_text(path: str | Path, pages: bool = False) -> str:
    """The text of a file, checked.

    Args:
        path: a file or `-` (standard input).
        pages: take the main text out of HTML; other texts stay as they are.

    Raises:
        StancewiseError: the file cannot be read, is no text, or not in UTF-8 (or UTF-16 with a byte order mark).
    """
    return read_with_page(Path(path), pages)[0]


def read_with_page(path: Path, pages: bool = False) -> tuple[str, str | None]:
    """As `read_text`, with the HTML page that the text was taken from; None: from none.

    Raises:
        StancewiseError: likewise.
    """
    name = "standard input" if path == STANDARD_INPUT else str(path)
    data = _bytes(path, name)
    for start, what in _NO_TEXTS:
        if data.startswith(start):
            raise StancewiseError(f"{name}: {what}")
    if len(data) > MOST_BYTES:
        raise StancewiseError(f"{name}: more than {MOST_BYTES:,} bytes; split it into several files")
    text = _LONE_RETURN.sub("\n", _decoded(data, name, pages))
    page = text if pages and (path.suffix.lower() in PAGES or is_page(text)) else None
    try:
        if page is not None:
            text = extract(page)
        check_text(text)
    except StancewiseError as error:
        raise StancewiseError(f"{name}: {str(error).removeprefix('text: ')}") from None
    return text, page


def extract(page: str) -> str:
    """The main text of an HTML page, its paragraphs parted by empty lines.

    Raises:
        StancewiseError: trafilatura is not installed, or there is no main text in the page.
    """
    try:
        from trafilatura import extract as main_text
    except ImportError as error:
        raise StancewiseError(
            f"HTML is read with trafilatura, which is not installed ({error.name}); "
            "install it with: pip install '.[article]'"
        ) from None
    text = main_text(page, include_comments=False, include_tables=False) if page.strip() else None
    if not text:
        raise StancewiseError("no main text found in the HTML; save the article as plain text")
    return "\n\n".join(text.splitlines())


def _bytes(path: Path, name: str) -> bytes:
    try:
        if path == STANDARD_INPUT:
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise StancewiseError(f"{name}: cannot be read ({error.strerror})") from None


def _decoded(data: bytes, name: str, pages: bool) -> str:
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)
    if not encoding and pages and (declared := _DECLARED.search(data[:1024])):
        encoding = declared[1].decode("ascii")
    try:
        return data.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if b"\0" in data and not encoding:
            raise StancewiseError(f"{name}: binary, not text; save it as plain text in UTF-8") from None
        line = data.count(b"\n", 0, error.start) + 1
        raise StancewiseError(
            f"{name}: byte {error.start:,} (line {line:,}) is not {encoding or 'UTF-8'}; save the file as UTF-8, "
            "or convert it: iconv -f ENCODING -t UTF-8 FILE > NEW (files of Windows are often WINDOWS-1252)"
        ) from None
    except (LookupError, UnicodeError):
        raise StancewiseError(f"{name}: the page names an unknown encoding; save it as UTF-8") from None
