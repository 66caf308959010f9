"""What scores are computed with: a protocol that ships or a benchmark's own, with its extractor and weights."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.names import require_names
from diffbench.base.plugins import configure, load, names, nearest
from diffbench.benchmark import jobs, paths
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.places import home_of
from diffbench.benchmark.protocols import check_protocol
from diffbench.commands.missing import making
from diffbench.comparison.metrics import metric_named
from diffbench.jobs.extractor import ExtractorPart
from diffbench.protocols._contract import Protocol

Settings = Mapping[str, Mapping[str, Any]]
"""Settings of metrics, by the metric's name."""

TRAINED = "classifier"
"""The protocol, and the extractor, for a classifier that a benchmark trained."""

DEFAULT = "adm"
"""The protocol if neither a protocol nor an extractor is named."""


@dataclass(frozen=True)
class Ruler:
    """A protocol with its extractor.

    name: the protocol's name in the id of scores. called: the name that the user gave it, for file names. chosen: the
    extractor as part of a job. weights: the file of its weights, if it is given one. benchmark: the one whose protocol
    this is.
    """

    name: str
    called: str
    protocol: Protocol
    extractor: Any
    chosen: ExtractorPart
    weights: Path | None = None
    benchmark: Benchmark | None = None

    def against(self, reference: str) -> "Ruler":
        """Return the same ruler with another reference: train, test, or the path of a file."""
        return dataclasses.replace(self, protocol=dataclasses.replace(self.protocol, reference=reference))


def ruler_of(
    protocol: str | None,
    extractor: Path | None = None,
    weights: Path | None = None,
    metrics: Sequence[str] = (),
    settings: Settings | None = None,
) -> Ruler:
    """Return the ruler that options name.

    protocol: the name of a protocol, or FILE.yaml:NAME for one of a benchmark; None for the default. extractor: the
    weights of a classifier that a benchmark trained. weights: those of the protocol's extractor. metrics: those to
    compute instead of the protocol's. settings: settings of metrics, laid over the protocol's.
    Raises: UserError.
    """
    if extractor is not None and weights is not None:
        raise UserError("--weights: are those of a protocol's extractor, and --extractor brings its own; give one")
    file, colon, entry = (protocol or "").rpartition(":")
    asked = tuple(metric_named(word, _of_features()) for word in metrics)
    if colon and extractor is not None:
        raise UserError(f"--extractor: {protocol} has an extractor of its own; leave --extractor out")
    if colon:
        found = _of_benchmark(Path(file), entry, weights)
    elif extractor is not None:
        found = _trained(protocol or TRAINED, extractor)
    else:
        found = _shipped(protocol or DEFAULT, weights)
    return _with_metrics(found, asked, settings or {})


def _of_features() -> list[str]:
    """Return the names of the metrics that a protocol may have."""
    return [name for name in names("metrics") if name not in ("bits_per_dim", "psnr")]


def _with_metrics(ruler: Ruler, metrics: Sequence[str], settings: Settings) -> Ruler:
    """Return the ruler with other metrics and settings. Raises: UserError if these do not fit."""
    own, where = ruler.protocol, f"--protocol {ruler.called}"
    kept = tuple(metrics) or own.metrics
    laid = {metric: dict(values) for metric, values in own.settings.items() if metric in kept}
    for metric, values in settings.items():
        laid[metric] = {**laid.get(metric, {}), **values}
    try:
        changed = dataclasses.replace(own, metrics=kept, settings=laid)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None
    check_protocol(where, changed, ruler.extractor)
    return dataclasses.replace(ruler, protocol=changed)


def _shipped(name: str, weights: Path | None) -> Ruler:
    """Return a protocol that ships, with the extractor that it is made for. Raises: UserError."""
    if name.endswith((".yaml", ".yml")):
        raise UserError(
            f"--protocol {name}: names a benchmark; write {name}:NAME with the name of one of its protocols"
        )
    part = configure(load("protocols", name, "--protocol"), {}, f"protocol {name}")
    entry = dict(part.extractor_entry)
    kind = entry.pop("name")
    extractor = configure(load("extractors", kind), entry, "extractor")
    if weights is not None and not weights.is_file():
        raise UserError(f"--weights {weights}: no such file")
    return Ruler(name, name, part, extractor, ExtractorPart.of(extractor, kind), weights)


def _trained(name: str, file: Path) -> Ruler:
    """Return a protocol that measures with a classifier that a benchmark trained.

    In the id of its scores, the extractor is named by its file, as the workflow names the file by the extractor.
    Raises: UserError if the file is not a classifier's, or the protocol is for another extractor.
    """
    part = configure(load("protocols", name, "--protocol"), {}, f"protocol {name}")
    extractor = load("extractors", TRAINED)()
    if part.resize != extractor.resize:
        raise UserError(
            f"--protocol {name}: is for its own extractor, {part.extractor}; with --extractor, leave it out"
        )
    require_classifier(file)
    require_names([file.stem], f"--extractor {file}")
    protocol = dataclasses.replace(part, extractor=file.stem)
    return Ruler(name, name, protocol, extractor, ExtractorPart.of(extractor, TRAINED), file)


def require_classifier(file: Path) -> None:
    """Raise UserError if a file is not the undamaged weights of a classifier that a benchmark trained."""
    where = "the run of a benchmark whose protocol has `extractor: classifier` writes one to results/extractors"
    if not file.is_file():
        raise UserError(f"--extractor {file}: no such file; {where}")
    checked({"extractor": file}, foreign=["extractor"])
    from diffbench.extractors._convolutional import load_classifier  # slow to import, and few measurements need it

    try:
        load_classifier(file)
    except UserError:
        raise UserError(
            f"--extractor {file}: not a classifier that a benchmark trained; {where} (the weights of Inception are "
            "given by --weights)"
        ) from None


def _of_benchmark(file: Path, entry: str, weights: Path | None) -> Ruler:
    """Return a benchmark's own protocol.

    Raises: UserError if the benchmark has no such protocol, or the weights of its extractor are missing.
    """
    benchmark = load_benchmark(file)
    if entry not in benchmark.protocols:
        raise UserError(f"--protocol {file}:{entry}: no such protocol in {file}; {nearest(entry, benchmark.protocols)}")
    name, part = benchmark.protocols[entry]
    extractor = benchmark.extractors[part.extractor][1]
    if weights is None and type(extractor).needs_weights:
        weights = _fitted(file, benchmark, part.extractor)
    elif weights is None and extractor.path is not None:
        weights = Path(extractor.path)
    if weights is not None and not weights.is_file():
        raise UserError(f"{weights}: no such file; give the weights of extractor '{part.extractor}' by --weights")
    chosen = jobs.extract_job(benchmark, part.extractor).extractor
    return Ruler(name, entry, part, extractor, chosen, weights, benchmark)


def _fitted(file: Path, benchmark: Benchmark, name: str) -> Path:
    """Return the weights of a benchmark's extractor in its tree of results.

    Raises: UserError with the command that makes them, if they are missing or of another configuration.
    """
    target = paths.extractor(name)
    weights = home_of(benchmark.name) / target
    if not weights.is_file():
        raise UserError(f"{weights}: missing, the weights of extractor '{name}'; make them by: {making(target, file)}")
    made = checked({"weights": weights}).records["weights"]
    if made["spec"].get("extractor") != jobs.fit_job(benchmark, name).extractor.plain():
        raise UserError(
            f"{weights}: was trained with other settings than {file} has; make it again by: {making(target, file)}"
        )
    return weights
