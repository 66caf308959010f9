"""The contract of formats: what each must have."""

from abc import abstractmethod
from typing import ClassVar, Protocol

from diffbench.base.sheets import Sheet

MADE_BY = "made by diffbench table"
"""What a file says of itself, so that it may be replaced by a newer one."""


class Format(Protocol):
    """A frozen dataclass that writes a sheet as text; it need not inherit from this class."""

    endings: ClassVar[tuple[str, ...]]
    """The endings of its files, the usual one first. Without the dot they name the format too."""

    wide: ClassVar[bool] = False
    """Whether it shows all columns of a table unless some are chosen, as files for programs do."""

    @abstractmethod
    def __call__(self, sheet: Sheet, /) -> str:
        """Return the text, which ends with a line break, and is a pure function of the sheet."""
        ...

    @abstractmethod
    def wrote(self, text: str, /) -> bool:
        """Return whether a text is of this format and made here. Files with other texts are never replaced."""
        ...


CONTRACT = Format
