"""The exception whose message is written for the user."""

LONGEST = 3000
"""Most characters of a message. A longer message quotes a large value from a file, so its middle is left out."""


class UserError(ValueError):
    """A mistake in what the user asked for: one line that names the thing and says how to mend it.

    Commands print it without a traceback and exit with code 2.
    """

    def __init__(self, message: object = ""):
        # A quoted value may contain line breaks.
        text, half = " ".join(str(message).split()), LONGEST // 2
        super().__init__(text if len(text) <= LONGEST else f"{text[:half]} [...] {text[-half:]}")


class DownloadError(UserError):
    """A file that must be downloaded, and cannot be."""
