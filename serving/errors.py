"""The one error a user may cause: its text names the cause, the place and the fix."""

from pydantic import ValidationError


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
