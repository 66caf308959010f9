"""Data sets as they are named on the command line: `digits`, `mnist:data/mnist` or, with options, `folder:p size=8`."""

from pathlib import Path
from typing import Any

from diffbench.base import plugins
from diffbench.base.errors import UserError
from diffbench.commands.sampler_option import parsed


def data_entry(text: str, option: str, path: Path | None = None) -> dict[str, Any]:
    """Return the entry `dataset` of a benchmark for the data set that a text names.

    option: the one that the text was given by, for messages. path: that of --data, if the text does not have it.
    Raises: UserError if there is no such data set, or its path is missing, given twice or of no use.
    """
    name, options = parsed(text, option)
    name, colon, own = name.partition(":")
    part = plugins.load("datasets", name, option)
    by_data = " or by --data" if option != "--data" else ""
    given = [str(value) for value in (own or None, path, options.get("path")) if value is not None]
    if colon and not own or len(given) > 1:
        raise UserError(f"{option} {text}: give the path of the data once, as {name}:PATH{by_data}")
    takes_path = "path" in part.__dataclass_fields__
    if takes_path and not given:
        raise UserError(f"{option} {text}: say where the data are, as {name}:PATH{by_data}")
    if given and not takes_path:
        raise UserError(f"{option} {text}: {name} brings its own images; leave the path out")
    return {"name": name, **options, **({"path": given[0]} if given else {})}
