"""Sets of labelled rows: our own files, a user's table, public sets as their authors publish them."""

from dataclasses import replace

from serving.errors import StancewiseError
from training.config import DataSet
from training.data.corpus import Corpus, draw, first_of_texts, only_heads, read_corpus
from training.data.sources import directed_sentiment, gwsd, newsmtsc, plv, ruopinionne, rusentne, semeval2016_stance
from training.data.sources.asked import read_asked, read_listed
from training.data.sources.public import PublicSet, read_public
from training.data.sources.table import read_table
from training.data.sources.teacher import teach

PUBLIC: dict[str, PublicSet] = {
    "newsmtsc": newsmtsc,
    "directed_sentiment": directed_sentiment,
    "plv": plv,
    "semeval2016_stance": semeval2016_stance,
    "gwsd": gwsd,
    "rusentne": rusentne,
    "ruopinionne": ruopinionne,
}


def read_set(wanted: DataSet) -> Corpus:
    """Read one set: labelled rows only, at the weight and number wanted.

    Raises:
        StancewiseError: the set is not there, or a row of it cannot be read; with file, line and fix.
    """
    if wanted.source == "statements":
        assert wanted.path is not None  # the config sees to it
        corpus = read_corpus(wanted.path)
    elif wanted.source == "table":
        corpus = read_table(wanted)
    elif wanted.source in ("reports", "asked"):
        assert wanted.path is not None
        corpus = read_asked(wanted.path) if wanted.source == "asked" else read_listed(wanted.path)
    else:
        corpus = read_public(wanted, PUBLIC[wanted.source])
    corpus = replace(corpus, weight=wanted.weight)
    if wanted.scheme is not None:
        corpus = replace(corpus, rows=[row.model_copy(update={"scheme": wanted.scheme}) for row in corpus.rows])
    if wanted.teacher is not None:
        corpus = teach(corpus, wanted.teacher)
    if wanted.heads is not None:
        corpus = only_heads(corpus, wanted.heads)
        if not corpus.rows:
            raise StancewiseError(
                f"{corpus.path}: no row with a {' or '.join(wanted.heads)}; correct heads in the config"
            )
    if wanted.rows_a_text is not None:
        corpus = first_of_texts(corpus, wanted.rows_a_text)
    if wanted.rows is None:
        return corpus
    drawn = draw(corpus, wanted.rows)
    if not drawn.rows:
        raise StancewiseError(f"{corpus.path}: rows: {wanted.rows} is less than its first group; raise it")
    return drawn
