"""The contract of tables: what each must have."""

from abc import abstractmethod
from typing import Any, ClassVar, Protocol

import pandas

from diffbench.base.sheets import View


class Table(Protocol):
    """A frozen dataclass that turns measured numbers into a data frame; it need not inherit from this class."""

    consumes: ClassVar[str]
    """What it is made from: "records" (tidy ones), "terms" (pairs of a model's identity and its bound's arrays) or
    "models" (pairs of facts of a model and its tidy records)."""

    view: ClassVar[View] = View()
    """The columns that people are shown, and the words around them; all columns if it is left out."""

    @abstractmethod
    def __call__(self, data: Any, /) -> pandas.DataFrame:
        """Return the table, a pure function of the data."""
        ...


CONTRACT = Table
