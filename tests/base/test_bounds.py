"""Bounds that are found by trying values."""

from dataclasses import dataclass
from typing import Literal

from diffbench.base.bounds import bounds_of


@dataclass(frozen=True)
class Rules:
    needed: int
    steps: int = 5
    share: float = 0.5
    below_one: float | None = None
    rate: float = 1e-4
    any_number: float = 0.0
    low: float = 0.1
    high: float = 50.0
    word: Literal["a", "b"] = "a"
    flag: bool = False

    def __post_init__(self):
        if self.steps < 2 or self.needed < 1 or not 0 <= self.share <= 1 or self.rate <= 0:
            raise ValueError("odd")
        if self.below_one is not None and not 0 < self.below_one < 1:
            raise ValueError("odd")
        if not 0 <= self.low < self.high:
            raise ValueError("each of them limits the other")


def test_bounds_are_those_of_the_rules():
    assert bounds_of(Rules) == {
        "needed": {"minimum": 1},
        "steps": {"minimum": 2},
        "share": {"minimum": 0, "maximum": 1},
        "below_one": {"exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "rate": {"exclusiveMinimum": 0},
        "low": {"minimum": 0},
        "high": {"minimum": 0},
    }


def test_a_class_that_cannot_be_made_from_stand_ins_has_no_bounds():
    @dataclass(frozen=True)
    class Picky:
        word: str
        steps: int = 1

        def __post_init__(self):
            if self.word != "right" or self.steps < 1:
                raise ValueError("odd")

    assert bounds_of(Picky) == {}
