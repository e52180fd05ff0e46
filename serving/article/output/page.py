"""Labelled articles as one HTML page that needs nothing outside itself, and the view that the server's page shares."""

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files

from serving.article.output.summary import summarise
from serving.article.statements import Article

# Of the view, here and in the server: each builds on those before it. TABLES is made of the files in static/words.
TABLES = "tables.js"
SCRIPTS = (TABLES, "words.js", "parts.js", "details.js", "text.js", "matrix.js", "table.js", "view.js")
_START = """
{
  const report = document.getElementById("report");
  const data = JSON.parse(document.getElementById("data").textContent);
  const title = document.querySelector("h1");
  const name = data.articles.length === 1 && data.articles[0].name;
  let state;
  document.querySelector("header").append(stancewise.languageChoice());
  stancewise.follow(() => {
    title.textContent = name || stancewise.words("report_title", { count: data.articles.length });
    document.title = title.textContent;
    state = stancewise.view(report, data, { state });
  });
}
"""
# Characters that could end the data's element, begin a comment in it, or not be written as UTF-8.
_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")

# Of every page that is one file.
POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'"
)
HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
"""
_PAGE = (
    HEAD
    + """<body class="stancewise-page">
<header><h1 dir="auto">{title}</h1></header>
<main id="report"><noscript>This page shows its statements with JavaScript, which is switched off.</noscript></main>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""
)


def render(articles: Sequence[Article]) -> str:
    """One HTML page of labelled articles; it loads nothing and runs no script but its own, whatever the texts hold."""
    data = {
        "articles": [article.model_dump(mode="json") for article in articles],
        "pairs": [pair.model_dump(mode="json") for pair in summarise(articles)],
    }
    name = articles[0].name if len(articles) == 1 else None
    script, style = script_of(SCRIPTS, _START), static("view.css")
    return _PAGE.format(
        policy=POLICY.format(script=hash_of(script), style=hash_of(style)),
        title=escape(name or ("Stances in a text" if len(articles) == 1 else f"Stances in {len(articles):,} texts")),
        style=style,
        data=_embedded(data),
        script=script,
    )


@cache
def words() -> dict[str, dict[str, str | dict[str, str]]]:
    """What page and report say, by the language's code: a table of static/words each, plurals by their form."""
    folder = files("serving.article").joinpath("static", "words")
    found = {file.name.removesuffix(".json"): file.read_text(encoding="utf-8") for file in folder.iterdir()}
    return {code: json.loads(found[code]) for code in sorted(found)}


def tables() -> str:
    """The script that brings the words of every language."""
    return f"globalThis.stancewise = {{ tables: {_embedded(words())} }};\n"


def script_of(names: Sequence[str], start: str) -> str:
    """The one script of a page: files of static/ and what begins it."""
    return "\n".join([tables() if name == TABLES else static(name) for name in names] + [start])


def _embedded(data: object) -> str:
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(data, ensure_ascii=False))


@cache
def static(name: str) -> str:
    """A file of the page."""
    return files("serving.article").joinpath("static", name).read_text(encoding="utf-8")


def hash_of(source: str) -> str:
    """What a content security policy calls a script or a style by."""
    return f"'sha256-{b64encode(sha256(source.encode()).digest()).decode()}'"
