"""Changes since an artifact was made: a comparison of its record's spec with the benchmark's present one.

If only the hash of the code changed, of the artifact or of one upstream, its bytes are perhaps still the same, and
`diffbench adopt` finds out. If settings or data changed, it has to be made again.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from diffbench.base.digests import spec_digest
from diffbench.base.stage_names import STAGES
from diffbench.benchmark.foreign import Spec, glanced
from diffbench.benchmark.graph import Artifact
from diffbench.benchmark.paths import row_of, subject_of
from diffbench.benchmark.stage_of import stage_of

OWN = ("code", "upstream")
"""The keys of a spec that are no settings: the hash of the job's code, and the digests of what it is made from."""

LONGEST = 40
"""The most letters of a value that are shown."""


@dataclass(frozen=True)
class Change:
    """The differences of two specs: whether the code differs, the settings (in words), and the names of sources."""

    code: bool
    settings: tuple[str, ...]
    upstream: tuple[str, ...]

    def __str__(self) -> str:
        if self.settings:
            return f"settings: {', '.join(self.settings)}"
        return "its code changed" if self.code else "because what it is made from is"


def change_of(recorded: Spec, present: Spec) -> Change | None:
    """Return how an artifact's recorded spec differs from the present one; None if they are equal."""
    if recorded == present:
        return None
    before, after = ({key: value for key, value in spec.items() if key not in OWN} for spec in (recorded, present))
    sources = [spec.get("upstream") or {} for spec in (recorded, present)]
    named = dict.fromkeys(name for source in sources for name in source)
    return Change(
        code=recorded.get("code") != present.get("code"),
        settings=tuple(_differences(before, after)),
        upstream=tuple(name for name in named if sources[0].get(name) != sources[1].get(name)),
    )


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], place: str = "") -> Iterator[str]:
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _differences(old, new, f"{place}{key}.")
        elif (key in before, old) != (key in after, new):
            yield f"{place}{key} {_shown(before, key)} -> {_shown(after, key)}"


def _shown(spec: Mapping[str, Any], key: str) -> str:
    text = json.dumps(spec[key]) if key in spec else "absent"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


@dataclass(frozen=True)
class Held:
    """An artifact in a tree. recorded: the spec in its record. present: the spec that the benchmark has now."""

    path: str
    recorded: Spec
    present: Spec

    @property
    def stage(self) -> str:
        """The stage that made the artifact."""
        return stage_of(PurePath(self.path), self.recorded)


def of_changed_code(held: Iterable[Held]) -> list[Held]:
    """Return the artifacts for which only code changed, their own or upstream. Upstream artifacts come first.

    A digest under `upstream` covers settings and code of all that is upstream. A changed digest is explained if an
    artifact with the old digest is here, and only its code changed. So records of what is upstream must be here.
    """
    pending = [item for item in held if item.recorded != item.present]
    found: list[Held] = []
    renamed: dict[str, str] = {}
    while True:
        ready = [item for item in pending if _with_code(item, renamed) == item.present]
        if not ready:
            return found
        renamed |= {spec_digest(item.recorded): spec_digest(item.present) for item in ready}
        pending = [item for item in pending if item not in ready]
        found += ready


def _with_code(item: Held, renamed: Mapping[str, str]) -> Spec:
    """Return a recorded spec with the present code, and with the present digests of its sources."""
    spec = dict(item.recorded) | ({"code": item.present["code"]} if "code" in item.present else {})
    if "upstream" in spec:
        spec["upstream"] = {name: _renamed(source, renamed) for name, source in spec["upstream"].items()}
    return spec


def _renamed(source: Any, renamed: Mapping[str, str]) -> Any:
    return renamed.get(source, source) if isinstance(source, str) else [renamed.get(one, one) for one in source]


def outdated(home: Path, artifacts: Iterable[Artifact]) -> list[Held]:
    """Return the artifacts whose record has another spec than the present one."""
    found = []
    for made in artifacts:
        recorded = glanced(home / made.record).get("spec")
        if isinstance(recorded, dict) and made.spec is not None and recorded != made.spec:
            found.append(Held(made.path, recorded, made.spec))
    return found


def rows_without_place(home: Path, table: Artifact, present: Iterable[str]) -> list[str]:
    """Return the rows of a finished table that its present job would leave out.

    present: the paths of the scores that the table is made from now.
    """
    facts = glanced(home / table.record).get("facts") or {}
    given = facts.get("given", {}).get("scores", [])
    kept = {row_of(path) for path in present}
    return list(dict.fromkeys(row for path in given if (row := row_of(path)) not in kept))


def said(found: Sequence[Held], left_out: Sequence[str] = ()) -> str:
    """Return a short paragraph on outdated artifacts: how many of each stage, of what and why; empty without any.

    left_out: the rows that the table has, and that it will not have when it is made again.
    """
    if not found:
        return ""
    lines = [f"diffbench: note: {len(found)} artifacts are out of date, and are made again if a run needs them:"]
    for stage in sorted({item.stage for item in found}, key=STAGES.index):
        lines += _said_of_stage(stage, [item for item in found if item.stage == stage])
    if left_out:
        lines.append(f"  {len(left_out):>4} rows will no longer be in the table: {_listed(left_out)}")
    if of_changed_code(found):
        lines.append("  if only code changed, `diffbench adopt` keeps results that come out with the same bytes")
    if any(item.stage == "tabulate" for item in found):
        lines.append(
            "  finished tables will be replaced: to keep them, stop this run and copy the folder of results first"
        )
    return "\n".join(lines)


def _said_of_stage(stage: str, own: Sequence[Held]) -> list[str]:
    """Return a line for each of the most frequent reasons, with the artifacts that it concerns."""
    reasons = Counter(_reason(stage, item) for item in own)
    shown = [reason for reason, _ in reasons.most_common(REASONS)]
    groups = [(reason, [item for item in own if _reason(stage, item) == reason]) for reason in shown]
    others = [item for item in own if _reason(stage, item) not in shown]
    groups += [("for other reasons of this kind", others)] if others else []
    return [
        f"  {len(items):>4} {stage} ({_listed(dict.fromkeys(subject_of(item.path) for item in items))}): {reason}"
        for reason, items in groups
    ]


def _listed(names: Iterable[str]) -> str:
    """Return names with commas; the last ones of a long list are only counted."""
    every = list(names)
    more = [f"and {len(every) - NAMES} more"] if len(every) > NAMES else []
    return ", ".join([*every[:NAMES], *more])


NAMES = 24
"""The most names in a line."""

REASONS = 3
"""The most reasons of one stage that are shown."""


def _reason(stage: str, item: Held) -> str:
    change = change_of(item.recorded, item.present)
    if change is not None and change.code and not change.settings:
        return f"the code of stage {stage} changed"
    return str(change)
