"""What stands before a text and describes it: front matter of Markdown files, headers of saved pages and wires."""

import json
import re
import tomllib
from typing import Any

from serving.errors import StancewiseError

# YAML between ---, TOML between +++, JSON between ;;;, as Jekyll, Hugo and Obsidian write them.
_START = re.compile(r"[\s\ufeff]*?(?P<fence>-{3}|\+{3}|;{3})(?:[ \t]*(?:yaml|toml|json))?[ \t]*\r?\n")
_KEY = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*(?:[\"']?[\w.@$ -]{1,60}[\"']?[ \t]*[:=](?:\s|$)|[{\[])")
# What a line of YAML may be at the left edge: a key of up to three words (a longer one is a sentence), an item, a
# comment, a bracket, or the end of a value in quotation marks.
_YAML = re.compile(
    r"(?:[ \t].*|[\"']?[\w.@$-]{1,60}(?:[ \t]+[\w.@$-]{1,60}){0,2}[\"']?[ \t]*:(?:\s.*)?|[-?#{}\[\]].*|.*[\"'])?\r?"
)
_PANDOC = re.compile(r"[\s\ufeff]*?(?:%[^\n]*(?:\n[ \t]+\S[^\n]*)*(?:\n|\Z)){1,3}")
_META = re.compile(
    r"(?:abstract|aliases|authors?|by ?line|canonical(?:[ _-]url)?|category|categories|content[ _-]type|copyright"
    r"|created|credit|date|date ?line|description|draft|excerpt|file ?name|format|headline|id|image|keywords?|lang"
    r"|language|layout|licen[cs]e|link|modified|page|permalink|published(?:[ _-]at)?|publisher|publication|section"
    r"|site(?:[ _-]name)?|slug|source(?:[ _-]url)?|standfirst|sub ?title|summary|tags?|title|topics?|type"
    r"|updated(?:[ _-]at)?|url|word ?count)[ \t]*:(?:[ \t][^\n]*)?(?:\n[ \t]+\S[^\n]*)*",
    re.I,
)
_LINE = re.compile(
    r"""^["']?(?P<key>[\w.@$][\w.@$ -]{0,59}?)["']?[ \t]*:(?:[ \t]+(?P<value>[^\r\n]*?))?[ \t]*\r?$""", re.M
)
_COMMENT = re.compile(r"(?:^|[ \t]+)#.*$")
_LEAST_HEADERS = 2  # lines such as `Title: ...` before an empty line


def without_front_matter(text: str) -> str:
    """The text with what stands before it blank, of the same length: offsets stay true.

    Args:
        text: with line feeds (or Windows line ends).
    """
    end = _fenced(text) or _headers(text)
    return re.sub(r"[^\r\n]", " ", text[:end]) + text[end:] if end else text


def fields(text: str) -> dict[str, Any]:
    """What stands before a text, by key: in lower case, without spaces, hyphens and underscores (`publishedat`).

    Of YAML, headers and the title block of Pandoc these are texts, and what is nested or a list is left out. Of two
    keys alike the first counts.

    Raises:
        StancewiseError: TOML or JSON between fences that cannot be read.
    """
    found: dict[str, Any] = {}
    for key, value in _written(text):
        found.setdefault(re.sub(r"[\s_-]", "", key).casefold(), value)
    return found


def _written(text: str) -> list[tuple[str, Any]]:
    if not (end := _fenced(text)):
        return _lines(text[: _headers(text)].lstrip())
    if not (start := _START.match(text)):
        title_block = [line.lstrip("\ufeff%").strip() for line in re.findall(r"^\s*%.*", text[:end], re.M)]
        return [("date", title_block[2])] if title_block[2:] else []
    inside = text[start.end() : text.rindex("\n", 0, end)].replace("\r\n", "\n")
    if start["fence"] == "---":
        return _lines(inside)
    try:
        values = tomllib.loads(inside) if start["fence"] == "+++" else json.loads(inside)
    except (ValueError, RecursionError):
        kind = "TOML" if start["fence"] == "+++" else "JSON"
        raise StancewiseError(f"front matter: not {kind} that can be read; correct it") from None
    return list(values.items()) if isinstance(values, dict) else []


def _lines(text: str) -> list[tuple[str, str]]:
    """Lines such as `key: value` that are not indented."""
    found = []
    for one in _LINE.finditer(text):
        value = one["value"] or ""
        quoted = re.match(r"""(["'])(.*?)\1[ \t]*(?:#.*)?$""", value)
        if plain := quoted[2].strip() if quoted else _COMMENT.sub("", value).strip():
            found.append((one["key"], plain))
    return found


def _fenced(text: str) -> int:
    """Where front matter between fences ends; 0: there is none, or it is never closed."""
    if start := _START.match(text):
        closing = r"(?:-{3}|\.{3})" if start["fence"] == "---" else re.escape(start["fence"])
        end = re.compile(rf"^{closing}[ \t]*\r?$", re.M).search(text, start.end())
        if not end or not _KEY.match(text, start.end()):
            return 0
        inside = text[start.end() : end.start()]
        return end.end() if start["fence"] != "---" or _is_yaml(inside) else 0
    pandoc = _PANDOC.match(text)
    return pandoc.end() if pandoc else 0


def _is_yaml(inside: str) -> bool:
    """Whether lines between rules describe a text, and are not its first paragraphs."""
    return bool(_META.match(inside.lstrip())) or all(map(_YAML.fullmatch, inside.split("\n")))


def _headers(text: str) -> int:
    """Where lines such as `Title: ...` end that stand before the first empty line."""
    place = len(text) - len(text.lstrip("\ufeff \t\r\n"))
    found = 0
    while match := _META.match(text, place):
        found += 1
        place = match.end()
        if text[place : place + 1] != "\n":
            break
        place += 1
    closed = place >= len(text) or text[place : place + 1] == "\n" or text[place : place + 2] == "\r\n"
    return place if found >= _LEAST_HEADERS and closed else 0
