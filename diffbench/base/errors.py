"""The one exception a person is meant to read."""

LONGEST = 3000
"""Letters of a message. A longer one quotes a value of its file whole; its middle is left out."""


class UserError(ValueError):
    """A mistake in what was asked for: one line that names the thing and the way out.

    Commands print it without a traceback and exit with code 2.
    """

    def __init__(self, message: object = ""):
        # What it quotes may hold line breaks.
        text, half = " ".join(str(message).split()), LONGEST // 2
        super().__init__(text if len(text) <= LONGEST else f"{text[:half]} [...] {text[-half:]}")
