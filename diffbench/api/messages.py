"""Messages of the commands' functions, as a person reads them who called a function instead."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from diffbench.base.errors import DownloadError, UserError

SETTING = re.compile(r"--set (\w+)\.(\w+)=([^\s,;]+)")


@contextmanager
def naming_arguments(*names: str) -> Iterator[None]:
    """Let a UserError in this block name arguments (`rounding`) where a command's message names options.

    names: of the function's arguments. An option of a command that the message quotes stays.
    """
    options = "|".join(name.replace("_", "-") for name in names)
    option = re.compile(rf"(?<!measure )(?<![\w-])--({options})\b(?!-)")
    try:
        yield
    except UserError as error:
        said = option.sub(lambda found: found[1].replace("-", "_"), str(error))
        said = SETTING.sub(r'settings={"\1": {"\2": \3}}', said)
        kind = DownloadError if isinstance(error, DownloadError) else UserError
        raise kind(said) from error.__cause__
