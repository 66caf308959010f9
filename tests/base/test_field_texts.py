"""Descriptions of fields, from both ways in which docstrings give them."""

from dataclasses import dataclass

import pytest

from diffbench.base.field_texts import field_texts, summary


@dataclass(frozen=True)
class Base:
    """A base with a rule: all of it is one sentence. size: the
    height, in pixels; 0 for none; width: of it too

    This paragraph belongs to no field.
    seed, other: drawn once (see size: it is no field here).
    """

    size: int = 0
    width: int = 0
    seed: int = 0
    other: int = 0
    untold: int = 0


@dataclass(frozen=True)
class Derived(Base):
    """The first line.

    size: its own text.
    """

    below: float = 1.0
    """What stands
    below: a colon is no field."""
    untold_too: str = ""


def test_both_ways_give_texts_and_what_a_class_inherits_has_the_base_s():
    assert field_texts(Base) == {
        "size": "the height, in pixels; 0 for none.",
        "width": "of it too.",
        "seed": "drawn once (see size: it is no field here).",
        "other": "drawn once (see size: it is no field here).",
    }
    texts = field_texts(Derived)
    assert texts["size"] == "its own text."
    assert texts["below"] == "What stands below: a colon is no field."
    assert texts["width"] == "of it too."
    assert not {"untold", "untold_too"} & set(texts)


@pytest.mark.parametrize(
    ("kind", "said"), [(Base, "A base with a rule: all of it is one sentence."), (Derived, "The first line.")]
)
def test_a_summary_ends_before_the_texts_of_fields(kind, said):
    assert summary(kind) == said


def test_a_class_that_was_made_without_source_has_the_texts_of_its_docstring():
    made = type("Made", (Base,), {"__doc__": "Made. size: of a class that has no source"})
    assert field_texts(made)["size"] == "of a class that has no source."
