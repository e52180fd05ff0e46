"""The one error a user may cause: its text names the cause, the place and the fix."""

from pydantic import ValidationError


class StancewiseError(Exception):
    """A mistake in a file, a config, a row or a URI; shown to the user without a traceback."""


def describe(error: ValidationError) -> str:
    """What is wrong, field by field, without repeating a value: it may be a user's text."""
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
