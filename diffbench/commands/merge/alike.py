"""Whether trees are parts of one benchmark: the same data, settings and code, and no file with two contents."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from diffbench.base.errors import UserError
from diffbench.benchmark.outdated import change_of
from diffbench.commands.merge.tree import SUMMARIES, Part

SHARED = ("sampling", "bound", "threads", "rounding")
"""Settings of a spec that a benchmark's file has once for all models."""

WAY_OUT = "nothing was merged; parts of one benchmark have the same file and the same version of the project"


def require_alike(parts: Sequence[Part]) -> None:
    """Raise UserError, naming the field, if trees are of different benchmarks, settings, data or code."""
    known: dict[str, tuple[str, str, Any]] = {}
    for branch in parts:
        for path, record in branch.artifacts.items():
            if branch.stage(path) in SUMMARIES:
                continue
            for field, value in _common(branch, path, record):
                name, other, before = known.setdefault(field, (branch.name, path, value))
                if before != value and name != branch.name:
                    raise UserError(
                        f"{field}: {_shown(before)} in {name} ({other}) and {_shown(value)} in {branch.name} ({path}); "
                        f"{WAY_OUT}"
                    )


def _common(branch: Part, path: str, record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields that all trees of one benchmark share, with their values in an artifact's record."""
    spec, stage = record["spec"], branch.stage(path)
    if isinstance(spec.get("row"), Mapping):
        yield "benchmark", spec["row"].get("benchmark")
    # A bound keeps reconstructions of test images alone.
    subject = f"{stage} of {spec['split']}" if "split" in spec else stage
    for key in (key for key in SHARED if key in spec):
        inner = spec[key].items() if isinstance(spec[key], Mapping) else [(None, spec[key])]
        yield from ((f"{subject}: {key}" + (f".{name}" if name else ""), value) for name, value in inner)
    if "protocol" in spec:
        yield f"protocol {path.split('/scores/')[-1].split('/')[0]}", spec["protocol"]
    # The code of a job is that of its stage and of the parts that it chooses.
    parts = sorted(set(_parts_in(spec)))
    yield f"code of stage {stage}{' with ' if parts else ''}{', '.join(parts)}", spec.get("code")
    for name, place in record["places"].items():
        yield f"sha256 of {place}", record["inputs"][name]


def _parts_in(value: Any) -> Iterator[str]:
    """Yield the names of parts anywhere in a spec, and those of a protocol's metrics."""
    if not isinstance(value, Mapping):
        return
    if isinstance(value.get("name"), str):
        yield value["name"]
    if isinstance(value.get("metrics"), list):
        yield from map(str, value["metrics"])
    for inner in value.values():
        yield from _parts_in(inner)


def require_one_content(parts: Sequence[Part]) -> None:
    """Raise UserError if an artifact has two contents: it names both files and what differs in their records."""
    known: dict[str, Part] = {}
    for branch in parts:
        for path, record in branch.artifacts.items():
            first = known.setdefault(path, branch)
            if branch.stage(path) in SUMMARIES or first is branch:
                continue
            other = first.artifacts[path]
            if other["sha256"] != record["sha256"] or other["spec"] != record["spec"]:
                raise UserError(
                    f"{first.home / path} and {branch.home / path} are two versions of one artifact: "
                    f"{_told(other, record)}; nothing was merged; leave one of them out, with its record"
                )


def _told(one: Mapping[str, Any], two: Mapping[str, Any]) -> str:
    """Return what differs in two records: the spec's settings, or where and with what each was made."""
    change = change_of(one["spec"], two["spec"])
    if change is not None:
        if change.settings:
            return f"spec: {', '.join(change.settings)}"
        if change.code:
            return f"spec: code {one['spec'].get('code')} -> {two['spec'].get('code')}"
        return f"spec: upstream {', '.join(change.upstream)}"
    found = [
        f"{section}.{key} {_shown(one[section].get(key))} -> {_shown(two[section].get(key))}"
        for section in ("facts", "versions")
        for key in sorted({*one[section], *two[section]})
        if one[section].get(key) != two[section].get(key)
    ]
    return ", ".join(found) or "their records name no difference but that of the bytes"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
