"""Readers and checks of `checkpoint` entries, which name weights that are not trained here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.plugins import coerced, configure
from diffbench.base.provenance_file import Recorded, provenance_path, read_provenance
from diffbench.base.sizes import shrunk_shape
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Checkpoint, Model, NoisyClassifier
from diffbench.benchmark.written import CheckpointFile
from diffbench.jobs.weights_facts import WeightsFacts

TRAINING_KEYS = ("objective", "training")
PART_KEYS = ("network", "objective")
"""Keys whose value may be just a part's name."""
SPEC_TYPES: Mapping[str, Any] = {
    **dict.fromkeys(("network", "diffusion", "objective", "training"), dict[str, Any]),
    "weights": str,
}
"""The types of the keys in a checkpoint's recorded spec that describe its model."""


def found_file(path: Path) -> Path | None:
    """Return the absolute path of a file; None if it does not exist."""
    try:
        return path.absolute() if path.is_file() else None
    except (OSError, ValueError):  # The name is too long, or has a zero byte.
        return None


def adopted(
    entry: Mapping[str, Any], where: str, diffusion_keys: Sequence[str]
) -> tuple[dict[str, Any], Checkpoint | None]:
    """Return an entry, completed from its checkpoint's record, and the checkpoint (None if the entry has none).

    If there is no record beside the file (weights that another program saved), the entry itself must describe them.
    diffusion_keys: the keys of the diffusion process that such an entry may have.
    Raises: UserError if the file does not exist, or if entry and record contradict each other.
    """
    given = entry.get("checkpoint")
    if given is None:
        return dict(entry), None
    asked = configure(CheckpointFile, {"path": given} if isinstance(given, str) else given, f"{where}.checkpoint")
    path = Path(asked.path)
    file = found_file(path)
    if file is None:
        raise UserError(
            f"{where}.checkpoint: {path}: no such file; `diffbench import --list` names what can be downloaded"
        )
    if not provenance_path(file).is_file():
        return _own(entry, where, path), Checkpoint(asked.path, str(file), asked.key)
    if asked.key is not None:
        raise UserError(f"{where}.checkpoint.key: {path} was imported and holds only a model's tensors; leave it out")
    provenance = read_provenance(file)
    recorded, facts = _recorded(provenance, diffusion_keys), WeightsFacts.recorded(provenance)
    own = {
        key: {"name": entry[key]} if key in PART_KEYS and isinstance(entry[key], str) else entry[key] for key in entry
    }
    for key in (*recorded, *TRAINING_KEYS):
        if key not in own:
            continue
        if key not in recorded:
            raise UserError(f"{where}.{key}: {path} records none; leave it out, nothing is trained here")
        _agree(own[key], recorded[key], f"{where}.{key}", path)
    completed = {**own, **{key: _completed(recorded[key], own.get(key)) for key in recorded}}
    return completed, Checkpoint(asked.path, str(file), facts=facts)


def _own(entry: Mapping[str, Any], where: str, path: Path) -> dict[str, Any]:
    for key in TRAINING_KEYS:
        if key in entry:
            raise UserError(f"{where}.{key}: has no place beside 'checkpoint', which trains nothing; leave it out")
    if "network" not in entry:
        raise UserError(
            f"{where}.checkpoint: no {provenance_path(path)} beside it says what it is; make it with "
            "`diffbench import`, or give 'network', 'schedule' and the rest here"
        )
    return dict(entry)


def _recorded(provenance: Recorded, diffusion_keys: Sequence[str]) -> dict[str, Any]:
    """Return a provenance's spec in the form of an entry. Raises: UserError if a value has another type."""
    spec = provenance["spec"]
    for key, kind in SPEC_TYPES.items():
        if key in spec:
            coerced(spec[key], kind, f"{provenance.source}: spec.{key}")
    found = {"network": dict(spec["network"])}
    found |= {key: spec["diffusion"][key] for key in diffusion_keys if key in spec["diffusion"]}
    return found | {key: spec[key] for key in (*TRAINING_KEYS, "low_size", "weights") if key in spec}


def _agree(given: Any, recorded: Any, where: str, path: Path) -> None:
    """Raise UserError if a record contradicts a given value. In maps, only the given keys are compared."""
    if isinstance(given, Mapping) and isinstance(recorded, Mapping):
        for key in given:
            if key in recorded:
                _agree(given[key], recorded[key], f"{where}.{key}", path)
    elif _plain(given) != _plain(recorded):
        raise UserError(f"{where}: {given!r}, and {path}.json records {recorded!r}; leave it out")


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _completed(recorded: Any, given: Any) -> Any:
    """Return a record with the other keys that are given, which `configure` later accepts or refuses."""
    if not (isinstance(given, Mapping) and isinstance(recorded, Mapping)):
        return recorded
    return {**given, **{key: _completed(recorded[key], given.get(key)) for key in recorded}}


def check_checkpoints(benchmark: Benchmark) -> None:
    """Raise UserError if a checkpoint is of other data than the benchmark's, or is used with several training seeds."""
    recorded = [
        (f"{section}.{item.name}.checkpoint", item, item.checkpoint.facts)
        for section, entries in (("models", benchmark.models), ("classifiers", benchmark.classifiers))
        for item in entries.values()
        if item.checkpoint is not None and item.checkpoint.facts is not None
    ]
    data = _data_of(benchmark.dataset) if recorded else None
    if data is not None:
        for where, item, facts in recorded:
            _check_data(item, facts, data, where)
    seeds: dict[str, set[int]] = {}
    for row in benchmark.sampled_sets():
        model = benchmark.variant(row.model)
        if model.checkpoint is None:
            continue
        found = seeds.setdefault(model.of, set())
        found.add(row.train_seed)
        if len(found) > 1:
            raise UserError(
                f"runs: {row.model} with train_seeds {sorted(found)}: its checkpoint is one training, and several "
                "seeds would repeat it; give it a run with one"
            )
        # Smaller images are enlarged before they are scored. The size for this is known only from a record.
        facts = model.checkpoint.facts
        if row.protocols and model.size is not None and facts is not None and facts.full_size is None:
            raise UserError(
                f"runs: {row.model} makes images of {model.size} pixels, which this data set cannot score; "
                "use it as an upsampler's low_res, or take a data set of its own size"
            )


@dataclass(frozen=True)
class Data:
    """The kind of a data set's images. shape: height, width and channels. levels: the number of grey levels."""

    shape: tuple[int, int, int]
    levels: int
    num_classes: int | None


def _data_of(dataset: Any) -> Data | None:
    """Return the kind of a data set's images; None if the data are not here yet."""
    try:
        shape = dataset.shape or dataset.open("test").shape
        return Data(tuple(shape), dataset.levels, dataset.num_classes)
    except UserError:
        return None


def _check_data(item: Model | NoisyClassifier, facts: WeightsFacts, data: Data, where: str) -> None:
    height, width, channels = data.shape
    try:
        channels, height, width = shrunk_shape((channels, height, width), item.size)
    except UserError as error:
        raise UserError(f"{where.removesuffix('checkpoint')}size: {error}") from None
    wanted = (height, width, channels)
    if facts.shape != wanted:
        sizes = ["x".join(map(str, shape)) for shape in (facts.shape, wanted)]
        advice = "; add 'size' to a model that an upsampler starts from" if item.size is None else ""
        raise UserError(f"{where}: made for images of {sizes[0]}, and here they are {sizes[1]}{advice}")
    if facts.levels != data.levels:
        raise UserError(f"{where}: made for {facts.levels} grey levels, and the data set has {data.levels}")
    takes_labels = isinstance(item, NoisyClassifier) or item.network.class_conditional
    if takes_labels and facts.num_classes != data.num_classes:
        raise UserError(f"{where}: made for {facts.num_classes} classes, and the data set has {data.num_classes}")
