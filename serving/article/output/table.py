"""Labelled articles on the terminal, in 80 columns."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from serving.article.output.summary import Pair, summarise
from serving.article.statements import Article, ArticleStatement
from serving.terminal import HEAD_WIDTH, NAMES_WIDTH, STYLES, cell, printable, rows

_WIDTHS = (NAMES_WIDTH, HEAD_WIDTH, HEAD_WIDTH)
_COUNT_WIDTH = 4  # of a count of statements
_PAIR_WIDTHS = (NAMES_WIDTH - 4, *[_COUNT_WIDTH] * 4, HEAD_WIDTH)
_SIGNS = {"support": "+", "neutrality": "○", "criticism": "−"}
_NOTHING = "no positions found (--all lists other pairs)"
_LEGEND = "statements: + support, ○ neutrality, − criticism, ? too unsure to count"


def show(articles: Sequence[Article], console: Console, summary: bool = False) -> None:
    """Print who supports or criticises whom, then every article's statements under their sentences.

    Args:
        articles: labelled.
        console: where to.
        summary: only who supports or criticises whom, with the sentences as evidence.
    """
    if pairs := summarise(articles):
        console.print(_summary(pairs, articles if summary else None))
        if not summary:
            console.print()
    elif summary:
        console.print(_NOTHING)
    for article in () if summary else articles:
        console.print(_article(article))


def _article(article: Article) -> RenderableType:
    parts: list[RenderableType] = [Text(printable(article.name or "article"), style="bold")]
    if not article.statements:
        nothing = (
            f"nothing labelled: in {article.language}, which the model does not read" if article.foreign else _NOTHING
        )
        return Group(*parts, Text(f"{nothing}\n"))
    parts.append(rows(_WIDTHS, [[Text(one, style="bold") for one in ("holder (cue) → target", "stance", "sentiment")]]))
    for sentence, group in groupby(article.statements, key=lambda one: one.sentence):
        parts.append(Text(f"\n{printable(sentence.text)}", style="italic"))
        parts.append(
            rows(_WIDTHS, [(_names(one), cell(one.stance, one.sureness), cell(one.sentiment)) for one in group])
        )
    return Group(*parts, "")


def _names(one: ArticleStatement) -> Text:
    cue = f" ({one.cue.text})" if one.cue else ""
    return Text(printable(f"{one.speaker or '(author)'}{cue} → {one.target}"))


def _summary(pairs: Sequence[Pair], articles: Sequence[Article] | None) -> RenderableType:
    """The pairs with most support and criticism first; where articles are given, with their sentences below each."""
    headings = ("holder → target", *(sign.rjust(_COUNT_WIDTH) for sign in (*_SIGNS.values(), "?")), "on the whole")
    parts: list[RenderableType] = [
        Text("Who supports or criticises whom", style="bold"),
        Text(_LEGEND, style="dim"),
        rows(_PAIR_WIDTHS, [[Text(one, style="bold") for one in headings]]),
    ]
    for pair in sorted(pairs, key=_rank, reverse=True):
        parts.append(rows(_PAIR_WIDTHS, [_pair(pair)]))
        if articles:
            parts += [_sentence(articles[place.article], place.statement) for place in pair.evidence]
    return Group(*parts)


def _rank(pair: Pair) -> tuple[int, float]:
    return pair.stances.get("support", 0) + pair.stances.get("criticism", 0), pair.probability or 0


def _sentence(article: Article, number: int) -> RenderableType:
    sentence = article.statements[number].sentence
    return Padding(Text(printable(f"{article.name or 'article'}: {sentence.text}"), style="italic"), (0, 0, 0, 4))


def _pair(pair: Pair) -> list[Text]:
    counts = [pair.stances.get(label, 0) for label in _SIGNS]
    unsure = len(pair.evidence) - sum(counts)
    names = Text(printable(f"{pair.speaker or '(author)'} → {pair.target}"))
    return [names, *(Text(f"{count or '·'}".rjust(_COUNT_WIDTH)) for count in (*counts, unsure)), _whole(pair)]


def _whole(pair: Pair) -> Text:
    if pair.stance is None or pair.probability is None:
        return Text("not trained", style="dim")
    if not pair.stances:
        return Text(f"{pair.stance} {pair.probability:.0%} ?", style="dim")
    return Text(f"{pair.stance} {pair.probability:.0%}", style=STYLES.get(pair.stance, "yellow"))
