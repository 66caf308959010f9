"""Scores of somebody's sample file against somebody's reference, under a published protocol, without a benchmark."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffbench.base.artifacts import digest, provenance_path, require_files, sha256
from diffbench.base.codehash import code_hash
from diffbench.base.devices import chosen_device
from diffbench.base.errors import UserError
from diffbench.base.plugins import configure, described, load, module_of
from diffbench.base.records import ROW_KEYS, read_records
from diffbench.protocols._contract import Protocol
from diffbench.stages.extract import extract, full_size
from diffbench.stages.score import score_features
from diffbench.stages.tabulate import FLOAT_FORMAT
from diffbench.tables.table2 import table2


def measure(
    samples: Path,
    reference: Path,
    protocol: Protocol,
    name: str,
    *,
    label: str,
    out: Path,
    cache: Path,
    weights: Path | None = None,
    rounding: str = "unknown",
    device: str = "auto",
    threads: int = 1,
) -> list[dict[str, Any]]:
    """Write and return the records of a sample file (`arr_0`, uint8 NHWC) against a reference file of the same form.

    label: in the place of a model's name. Features wait in `cache` under the hash of images, extractor, weights, device
    and code, so that one reference serves many samples.
    Raises: UserError.
    """
    require_files([samples, reference])
    if weights is not None:
        require_files([weights])
    entry = dict(protocol.extractor_entry)
    extractor_name = entry.pop("name")
    extractor = configure(load("extractors", extractor_name), entry, "extractor")
    spec = {"extractor": described(extractor, extractor_name), "threads": threads}
    # All that the features depend on: the code too, since a cache outlives the version that filled it.
    key = {
        "spec": spec,
        "weights": sha256(weights) if weights else None,
        "code": code_hash(["diffbench.stages.extract", module_of("extractors", extractor_name)]),
        "device": chosen_device(device).type,
    }
    features = []
    for images in (samples, reference):
        path = cache / "features" / f"{digest(key | {'images': sha256(images), 'size': full_size(images)})[:24]}.npz"
        # The provenance is written last: a file without it is one that was cut off.
        if not (path.is_file() and provenance_path(path).is_file()):
            extract(spec, [images], [path], weights=weights, device=device)
        features.append(path)
    row: dict[str, Any] = dict.fromkeys(ROW_KEYS) | {"benchmark": "measure", "model": label}
    asked = {"protocol": described(protocol, name), "rounding": rounding, "row": row}
    score_features(asked, features[0], features[1], out)
    return read_records([out])


def report(records: Sequence[Mapping[str, Any]], protocol: Protocol) -> str:
    """Return scores as text: a line a metric with its 95 % interval, the protocol's id, and what to beware of."""
    lines = [f"{'metric':<20}{'value':>12}   95 % interval"]
    for item in records:
        lines.append(f"{item['metric']:<20}{item['value']:>12.5g}   {item['low']:.5g} to {item['high']:.5g}")
    lines += ["", f"protocol {records[0]['protocol']}"]
    n = records[0]["num_images"]
    if protocol.num_images not in (None, n):
        lines.append(f"{n} images; published scores of this protocol have {protocol.num_images}, and FID falls with n")
    if protocol.deviations != "none known":
        lines.append(f"known deviations: {protocol.deviations}")
    return "\n".join(lines)


def table_row(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the line of table2.csv that the records make, below the line of its columns."""
    return table2(records).to_csv(index=False, float_format=FLOAT_FORMAT, lineterminator="\n").rstrip()


def protocol_of(name: str, reference: str) -> Protocol:
    """Return a protocol by its name; reference: train, test, or the path of a file.

    Raises: UserError for a name that does not exist.
    """
    return configure(load("protocols", name, "--protocol"), {"reference": reference}, f"protocol {name}")


def require_apart(out: Path, *kept: Path) -> None:
    """Raise UserError where the records, or the provenance beside them, would replace an input or its provenance."""
    held = {place.resolve() for path in kept for place in (path, provenance_path(path))}
    for place in (out, provenance_path(out)):
        if place.resolve() in held:
            raise UserError(f"--out {out}: {place} is an input, or the provenance of one; choose another name")


def protocols_text(names: Sequence[str]) -> str:
    """Return the protocols as text: what each fixes, line by line."""
    blocks = []
    for name in names:
        part = load("protocols", name, "protocols")()
        held = part.described()
        metrics = held.pop("metrics")
        lines = [f"{name} (version {held.pop('version')}): {(part.__doc__ or '').strip().splitlines()[0]}"]
        held["n"] = held.pop("num_images") or "as sampled"
        held["rounding"] = held["rounding"] or "as sampled"
        order = ("extractor", "resize", "rounding", "n", "reference", "source", "deviations")
        lines += [f"  {key:<11}{held[key]}" for key in order]
        for metric, options in metrics.items():
            settings = ", ".join(f"{key} = {value}" for key, value in options.items())
            lines.append(f"  {'metric':<11}{metric}{f' ({settings})' if settings else ''}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
