"""The contract of tables: what each must have."""

from abc import abstractmethod
from typing import Any, ClassVar, Protocol

import pandas


class Table(Protocol):
    """A frozen dataclass that turns measured numbers into a data frame; it need not inherit from this class."""

    consumes: ClassVar[str]
    """What it is made from: "records" (tidy ones) or "terms" (pairs of a model's identity and its bound's arrays)."""

    @abstractmethod
    def __call__(self, data: Any, /) -> pandas.DataFrame:
        """Return the table, a pure function of the data."""
        ...


CONTRACT = Table
