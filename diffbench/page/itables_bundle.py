"""The scripts and styles of itables, which make the tables of the page sortable without a network."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from diffbench.base.errors import UserError

INSTALL = "pip install 'diffbench[report]'"
"""The command that installs itables."""


@dataclass(frozen=True)
class Bundle:
    """The text of a module that exports `ITable`, and its styles, which may be put into an HTML file as they are."""

    script: str
    styles: str


def is_installed() -> bool:
    """Return whether itables can be imported."""
    return find_spec("itables") is not None


def bundle() -> Bundle:
    """Return the bundle that itables brings along. Raises: UserError if itables is not installed, or has none."""
    found = find_spec("itables")
    if found is None or found.origin is None:
        raise UserError(f"the page of results needs itables, which is not installed: {INSTALL}")
    folder = Path(found.origin).parent / "html"
    try:
        script, styles = (folder.joinpath(f"dt_bundle.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
    except OSError:
        raise UserError(f"{folder}: has no bundle of itables, so its version is too old: {INSTALL}") from None
    return Bundle(script, re.sub(r"</(?=style)", r"<\\/", styles, flags=re.IGNORECASE))
