"""The verdict on two rows, after a check that they are comparable."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.base.protocol_ids import protocol_fields
from diffbench.base.records import Estimate
from diffbench.comparison.metrics import higher_is_better, ideal_of
from diffbench.comparison.rows import row_named
from diffbench.comparison.sources import Sourced, require_vouched
from diffbench.comparison.verdicts import Verdict, paired

MEASURED = "measure"
"""The benchmark in the records of `diffbench measure`, which belong to none: their protocol's id says what they are."""


def compared(
    records: Sequence[Mapping[str, Any]],
    a: str,
    b: str,
    metric: str,
    varies: Sequence[str] = (),
    differences: Mapping[tuple[Any, Any], Estimate] | None = None,
) -> Verdict:
    """Return the verdict on two rows among tidy records; differences: as `paired` takes them.

    Raises: UserError if a row is missing, or the two are not comparable.
    """
    one, other = (row_named(records, selector, metric) for selector in (a, b))
    return judged(one, other, metric, varies, differences)


def judged(
    one: Sequence[Mapping[str, Any]],
    other: Sequence[Mapping[str, Any]],
    metric: str,
    varies: Sequence[str],
    differences: Mapping[tuple[Any, Any], Estimate] | None = None,
) -> Verdict:
    """Return the verdict on the records of two rows. varies: fields of the protocol that differ by design.

    Raises: UserError if no table was made from both rows, or their protocols differ in another field.
    """
    require_vouched([item for item in (*one, *other) if isinstance(item, Sourced)])
    _require_one_protocol(one[0], other[0], metric, varies)
    better, ideal = higher_is_better(metric), ideal_of(metric)
    return paired(one, other, higher_is_better=better, ideal=ideal, differences=differences)


def _require_one_protocol(a: Mapping[str, Any], b: Mapping[str, Any], metric: str, varies: Iterable[str]) -> None:
    """Raise UserError naming a field in which two protocols differ, unless it is one that varies by design."""
    one, other = ({"benchmark": item["benchmark"], **protocol_fields(item["protocol"], metric)} for item in (a, b))
    fields = [*one, *(key for key in other if key not in one)]
    for field in varies:
        if field not in fields:
            raise UserError(f"the protocol has no field '{field}'; {nearest(field, fields)}")
    ignored = {"benchmark"} if MEASURED in (one["benchmark"], other["benchmark"]) else set()
    for field in (field for field in fields if field not in ignored):
        if one.get(field) != other.get(field) and field not in varies:
            raise UserError(
                f"not comparable: {field} ({one.get(field, 'absent')} against {other.get(field, 'absent')}); "
                f"if it differs by design, add --varies {field}"
            )
