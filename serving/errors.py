"""The one error a user may cause: its text names the cause, the place and the fix."""

import errno
from collections.abc import Iterator

from pydantic import ValidationError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_WORDS = ("no space left on device", "disk is full", "disk quota exceeded")  # of libraries that keep no number


class StancewiseError(Exception):
    """A mistake in a file, a config, a row or a URI; shown to the user without a traceback."""


def describe(error: ValidationError) -> str:
    """What is wrong, field by field, without repeating a value: it may be a user's text."""
    problems = []
    for one in error.errors():
        place = ".".join(map(str, one["loc"]))  # none: the row as a whole, whose message names the field
        problems.append(f"{place}: {message(one['msg'])}" if place else message(one["msg"]))
    return "; ".join(problems)


def message(said: str) -> str:
    """What a check of ours says, without what pydantic puts before it."""
    return said.removeprefix("Value error, ")


def disk_is_full(error: BaseException) -> bool:
    """Whether a full disk is what the error, or one that it came from, is about."""
    return any(
        (isinstance(one, OSError) and one.errno in _FULL) or any(words in str(one).lower() for words in _FULL_WORDS)
        for one in _origins(error)
    )


def full_disk(error: BaseException) -> StancewiseError | None:
    """What a user is told when a disk is full; None for every other error."""
    if not disk_is_full(error):
        return None
    said = [one for one in _origins(error) if isinstance(one, StancewiseError)]
    names = [one.filename for one in _origins(error) if isinstance(one, OSError) and one.filename]
    what = f"{names[0]}: cannot be written" if names else "the output cannot be written"
    return said[0] if said else StancewiseError(f"{what}: the disk is full; make room, or write to another folder")


def _origins(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
