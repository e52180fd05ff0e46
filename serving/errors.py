"""The one error a user may cause: its text names the cause, the place and the fix."""


class StancewiseError(Exception):
    """A mistake in a file, a config, a row or a URI; shown to the user without a traceback."""
