"""The one exception a person is meant to read."""


class UserError(ValueError):
    """A mistake in what was asked for: one line that names the thing and the way out.

    Commands print it without a traceback and exit with code 2.
    """
