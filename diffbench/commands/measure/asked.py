"""The command from its options to its text, and the same for Python: options are checked, and then images scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.plugins import load
from diffbench.base.provenance_file import RESULTS, provenance_path
from diffbench.commands.measure import before, rows_file
from diffbench.commands.measure.image_sets import (
    Images,
    Wanted,
    held_out_file,
    image_file,
    other_split,
    reference_images,
)
from diffbench.commands.measure.ruler import Ruler, Settings, ruler_of
from diffbench.commands.measure.run import Measured, report, scored, table_row, wanted_of

MEASURED_FOLDER = "measured"
"""The folder, beside a benchmark's results, for the scores of samples that are in them."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The command's options by their names; None if one is not given.

    held_out: real images that the model was not trained on, as `reference` is written. settings: of metrics, by the
    metric's name. csv: the file to which a row is written; append: whether it may exist.
    """

    samples: Path
    reference: str | None = None
    held_out: str | None = None
    data: Path | None = None
    split: str | None = None
    protocol: str | None = None
    extractor: Path | None = None
    weights: Path | None = None
    out: Path | None = None
    csv: Path | None = None
    append: bool = False
    rounding: str | None = None
    metrics: tuple[str, ...] = ()
    settings: Settings = field(default_factory=dict)
    name: str | None = None
    device: str = "auto"
    cache: Path = Path(".cache")
    threads: int = 1

    def target(self, protocol: str) -> Path:
        """Return the file of the records. protocol: the name that the user gave it.

        It is beside the samples, except for those in a benchmark's results: a stranger there would be counted by
        `verify` and versioned by DVC. Then it has the same path in a folder beside the results.
        """
        unnamed = self.samples.name in ("", "..")
        beside = Path(f"{self.samples.resolve() if unnamed else self.samples}.{protocol}.json")
        return self.out or _outside_results(self.samples, beside)


def _outside_results(samples: Path, beside: Path) -> Path:
    """Return a path outside the results in which a workflow's samples are; `beside` if they are in none."""
    parts = beside.absolute().parts
    if RESULTS not in parts[:-1] or not provenance_path(samples).is_file():
        return beside
    at = len(parts) - 1 - parts[::-1].index(RESULTS)
    found = Path(*parts[:at], MEASURED_FOLDER, *parts[at + 1 :])
    return found.relative_to(Path.cwd()) if found.is_relative_to(Path.cwd()) else found


@dataclass(frozen=True)
class Answered:
    """What was measured, and with what. unseen: held-out images, if metrics need them. target: the file of records."""

    own: Images
    against: Images
    unseen: Images | None
    ruler: Ruler
    measured: Measured
    target: Path


def measure(
    samples: Path | str,
    reference: Path | str | None = None,
    *,
    held_out: Path | str | None = None,
    protocol: str | None = None,
    extractor: Path | str | None = None,
    weights: Path | str | None = None,
    split: str | None = None,
    metrics: Sequence[str] = (),
    settings: Settings | None = None,
    name: str | None = None,
    rounding: str | None = None,
    device: str = "auto",
    cache: Path | str = ".cache",
    threads: int = 1,
) -> list[Mapping[str, Any]]:
    """Return the scores of samples against reference images, as `diffbench measure` writes them: a record per metric.

    The arguments are the command's options, and settings are such as {"kid": {"subset_size": 50}}. Nothing but the
    cache of features is written. Raises: UserError.
    """
    with TemporaryDirectory() as folder:
        asked = Asked(
            samples=Path(samples),
            reference=None if reference is None else str(reference),
            held_out=None if held_out is None else str(held_out),
            split=split,
            protocol=protocol,
            extractor=None if extractor is None else Path(extractor),
            weights=None if weights is None else Path(weights),
            out=Path(folder, "scores.json"),
            rounding=rounding,
            metrics=tuple(metrics),
            settings=settings or {},
            name=name,
            device=device,
            cache=Path(cache),
            threads=threads,
        )
        return list(answered(asked).measured.records)


def answer(asked: Asked) -> str:
    """Write the scores and return them as text. Raises: UserError; if possible, before any work."""
    done = answered(asked)
    own, against, measured = done.own, done.against, done.measured
    said = [f"samples: {own.read} ({measured.samples})", f"reference: {against.read} ({measured.reference})"]
    said += [] if done.unseen is None else [f"held out: {done.unseen.read}"]
    said += ["", report(measured, done.ruler.protocol), ""]
    said += ["as a row of table2.csv:", table_row(measured.records), "", f"written to {done.target}"]
    if asked.csv is not None:
        said.append(rows_file.add_row(asked.csv, measured.records, kept=done.target))
    return before.printable("\n".join(said))


def answered(asked: Asked) -> Answered:
    """Write the records, and return what was measured. Raises: UserError; if possible, before any work."""
    if not asked.samples.exists():
        raise UserError(f"{asked.samples}: no such file")
    name = before.name_of(asked.samples, asked.name)
    ruler = ruler_of(asked.protocol, asked.extractor, asked.weights, asked.metrics, asked.settings)
    wanted = wanted_of(ruler)
    target = asked.target(ruler.called)
    given = [asked.samples, *(Path(place) for place in (asked.reference, asked.held_out) if place)]
    before.require_apart(target, *given)
    before.require_writable(target, "--out", is_folder=False)
    before.require_writable(asked.cache, "--cache", is_folder=True)
    rows_file.require_open(asked.csv, append=asked.append, metrics=ruler.protocol.metrics)
    with before.naming_cache(asked.cache), before.telling_what_needs_no_download():
        own = image_file(asked.samples, asked.cache, wanted)
        against, place = reference_images(asked.reference, ruler, asked.data, asked.split, asked.cache, wanted)
        ruler = ruler.against(place)
        unseen = _held_out(asked, ruler, place, wanted)
        measured = scored(
            own.file,
            against.file,
            ruler,
            held_out=None if unseen is None else unseen.file,
            name=name,
            out=target,
            cache=asked.cache,
            rounding=asked.rounding,
            device=asked.device,
            threads=asked.threads,
        )
    return Answered(own, against, unseen, ruler, measured, target)


def _held_out(asked: Asked, ruler: Ruler, reference: str, wanted: Wanted) -> Images | None:
    """Return the real images that the model was not trained on; None if no metric needs them.

    Without --held-out, they are the other split of the data set that the reference is of.
    Raises: UserError if they are missing, or given although no metric needs them.
    """
    metrics = ruler.protocol.metrics
    needing = [name for name in metrics if load("metrics", name).needs_held_out]
    if asked.held_out is not None:
        if not needing:
            raise UserError(f"--held-out: none of {', '.join(metrics)} needs it; leave it out")
        return held_out_file(asked.held_out, asked.cache, wanted)
    if not needing:
        return None
    if reference not in ("train", "test"):
        others = [name for name in metrics if name not in needing]
        way = f", or leave it out by --metrics {','.join(others)}" if others else ""
        raise UserError(
            f"{needing[0]} needs real images that the model was not trained on: give them by --held-out{way}"
        )
    return reference_images(asked.reference, ruler, asked.data, other_split(reference), asked.cache, wanted)[0]
