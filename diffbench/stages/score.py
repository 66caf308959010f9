"""score: features or terms of a bound in, tidy records of numbers with their intervals out. Needs no torch."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffbench.base.arrays import member_names, read_member
from diffbench.base.command import run_stage, stage_parser
from diffbench.base.digests import digest
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked, require_upstream, upstream_of
from diffbench.base.plugins import configure, load
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_recorded
from diffbench.base.records import Estimate, record, write_records
from diffbench.base.run_record import run_record
from diffbench.base.sizes import enlarged
from diffbench.metrics._features import STORED_MOMENTS
from diffbench.metrics.bits_per_dim import BitsPerDim, gap, rate_and_distortion, subset_error
from diffbench.metrics.psnr import Psnr
from diffbench.protocols._contract import protocol_id


def score_features(
    spec: Mapping[str, Any], features: Path, reference: Path, out: Path, samples_provenance: Path | None = None
) -> None:
    """Write the protocol's metrics of a feature file against a reference's, and the cost of the samples where known.

    A row that names num_images is scored on its first so many, as held-out real images are, at the models' number.

    Raises: UserError where the files were made by different extractors.
    """
    wanted = upstream_of(spec)
    made = wanted.pop("samples_provenance", None)
    given = {"features": features, "reference": reference, "samples_provenance": samples_provenance}
    inputs = checked(given, foreign=("samples_provenance",), upstream=wanted)
    described = spec["protocol"]
    protocol = configure(load("protocols", described["name"]), _options(described), "protocol")
    own, other = inputs.records["features"], inputs.records["reference"]
    for fact, field in {"weights_sha256": "extractor", "resize": "resize"}.items():
        if own["facts"][fact] != other["facts"][fact]:
            raise UserError(f"{features} and {reference} come from different extractors; not comparable: {field}")
    protocol.require(resize=own["facts"]["resize"], rounding=spec["rounding"])
    available = own["facts"]["num_images"]
    num_images = min(spec["row"].get("num_images") or available, available)
    num_reference = protocol.reference_images(other["facts"]["num_images"])
    metrics = {
        name: configure(load("metrics", name), protocol.metric_settings(name), f"protocol metric {name}")
        for name in protocol.metrics
    }
    identity = protocol.identity(
        described["name"],
        extractor_sha256=own["facts"]["weights_sha256"],
        rounding=spec["rounding"],
        num_images=num_images,
        # A split's file is a function of the data set; a file of somebody's may be packed in many ways.
        reference_sha256=other["facts"]["pixels_sha256"] if protocol.reference_file else other["inputs"]["images"],
        num_reference=num_reference,
        options={name: dataclasses.asdict(metric) for name, metric in metrics.items()},
        moments=_stored_moments(metrics, other["facts"].get("moments", {})),
    )
    name = protocol_id(identity)
    row = {**spec["row"], "num_images": num_images}
    generated = {key: values[:num_images] for key, values in _arrays(features).items()}
    stored = {key for names in STORED_MOMENTS.values() for key in names}
    real = {key: values if key in stored else values[:num_reference] for key, values in _arrays(reference).items()}
    records = [record(row, key, name, metric(generated, real)) for key, metric in metrics.items()]
    if samples_provenance is not None:
        samples = read_recorded(samples_provenance)
        if made is not None:
            require_upstream(samples_provenance, made, samples, samples["sha256"])
        if samples["sha256"] != own["inputs"]["images"]:
            raise UserError(f"{samples_provenance}: of other samples than those whose features {features} holds")
        records += [record(row, key, name, Estimate.exact(value)) for key, value in costs(samples["facts"]).items()]
    write_records(out, records)
    write_provenance(
        out, spec=spec, inputs=inputs, facts={"protocol": dict(identity), "protocol_digest": digest(identity)[:8]}
    )


def score_terms(spec: Mapping[str, Any], terms: Sequence[Path], out: Path) -> None:
    """Write the test split's bound with its errors and its parts, and, given the training split too, their gap.

    Raises: UserError where there is no test split, or the files are not of one model, evaluated alike.
    """
    every = checked({str(path): path for path in terms}, upstream=upstream_of(spec, terms=terms))
    # In one order, whatever the one in which they were given: the records follow it.
    files = dict(sorted((every.records[str(path)]["facts"]["split"], path) for path in terms))
    given = ", ".join(map(str, terms))
    if "test" not in files or len(files) != len(terms):
        raise UserError(f"--terms: {given}: give one file of the test split and, at most, one of the training split")
    if len({recorded["inputs"]["weights"] for recorded in every.records.values()}) > 1:
        raise UserError(f"--terms: {given} are of different weights; not comparable: weights")
    if len({read_member(path, "width").tobytes() for path in terms}) > 1:
        raise UserError(f"--terms: {given} took different timesteps of the chain; not comparable: strata")
    records, found = [], {}
    for split, path in files.items():
        arrays, provenance = _arrays(path), every.records[str(path)]
        facts = provenance["facts"]
        name = bound_protocol(facts, provenance["inputs"]["data"], len(arrays["width"]))
        found[split] = BitsPerDim()(arrays)
        prefix = "nll" if split == "test" else f"nll_{split}"
        estimates = {f"{prefix}_bits_per_dim": found[split]}
        error = subset_error(arrays)
        if error is not None:
            estimates[f"{prefix}_subset_se"] = Estimate.exact(error)
        if split == "test":
            estimates |= rate_and_distortion(arrays)
            codes = ("uniform_bits_per_dim", "histogram_bits_per_dim")
            estimates |= {metric: Estimate.exact(facts[metric]) for metric in codes if facts.get(metric) is not None}
        row = {**spec["row"], "num_images": facts["num_images"]}
        records += [record(row, metric, name, estimate) for metric, estimate in estimates.items()]
    if "train" in found:
        names = dict.fromkeys(item["protocol"] for item in records)
        row = {**spec["row"], "num_images": None}
        records.append(record(row, "nll_gap_bits_per_dim", " - ".join(names), gap(found["test"], found["train"])))
    write_records(out, records)
    protocols = dict.fromkeys(item["protocol"] for item in records)
    inputs = every.renamed({str(path): f"terms_{split}" for split, path in files.items()})
    write_provenance(out, spec=spec, inputs=inputs, facts={"protocol": list(protocols)})


def bound_protocol(facts: Mapping[str, Any], data_sha256: str, num_strata: int) -> str:
    """Return the protocol id of a bound: which images, on which grey levels, and how many timesteps of the chain."""
    images = f"split={facts['split']}@{data_sha256[:8]};n={facts['num_images']};of={facts['of']};flip=false"
    return f"bound;{images};levels={facts['levels']};strata={num_strata};clip=true;version=2"


def costs(facts: Mapping[str, Any]) -> dict[str, float]:
    """Return what an image of a sample set cost, all stages of a cascade together.

    nfe: evaluations of denoising networks that an image needed, nfe_low_res of them before the last stage, where there
    is one; nfe_max: of the last stage, by the image that needed most, where images differ. flops_per_image counts what
    was evaluated, images that were done before the rest of their batch included.
    """
    found = {"nfe": facts["nfe"]}
    if "nfe_max" in facts:
        found["nfe_max"] = facts["nfe_max"]
    total = facts.get("nfe_evaluated", facts["nfe"]) * facts["flops_per_evaluation"]
    if "classifier_evaluations" in facts:
        found["classifier_evaluations"] = facts["classifier_evaluations"]
        total += facts["classifier_evaluations"] * facts["flops_per_classifier_evaluation"]
    if facts.get("low_res"):
        below = costs(facts["low_res"])
        found["nfe"] += below["nfe"]
        found["nfe_low_res"] = below["nfe"]
        total += below["flops_per_image"]
        if "classifier_evaluations" in below:
            found["classifier_evaluations"] = found.get("classifier_evaluations", 0) + below["classifier_evaluations"]
    return found | {"flops_per_image": total}


def score_pairs(spec: Mapping[str, Any], images: Path, truth: Path, low_res: Path, out: Path) -> None:
    """Write the PSNR of upsampled real images to the true ones, and that of the low-resolution ones, enlarged.

    Image k of each file is of one picture. Raises: UserError where there are fewer true images than upsampled ones.
    """
    inputs = checked({"images": images, "truth": truth, "low_res": low_res}, upstream=upstream_of(spec))
    upsampled = read_member(images, "arr_0")
    true, small = (read_member(path, "arr_0")[: len(upsampled)] for path in (truth, low_res))
    for path, found in ((truth, true), (low_res, small)):
        if found.dtype != np.uint8 or found.ndim != 4:
            raise UserError(f"{path}: arr_0 is {found.dtype}{found.shape}, wanted uint8 images")
    if inputs.records["images"]["inputs"].get("low_res") != inputs.sha256["low_res"]:
        raise UserError(f"{images}: not upsampled from {low_res}, but from another version of it or other images")
    reference, given = (f"{inputs.paths[name].stem}@{inputs.sha256[name][:8]}" for name in ("truth", "low_res"))
    images_of = f"reference={reference};low_res={given}"
    name = f"pairs;{images_of};rounding={spec['rounding']};n={len(upsampled)};version=1"
    row = {**spec["row"], "num_images": len(upsampled)}
    metric = Psnr()
    sets = {"psnr": upsampled, "psnr_enlarged": enlarged(small, *true.shape[1:3])}
    records = [record(row, key, name, metric({"images": own}, {"images": true})) for key, own in sets.items()]
    write_records(out, records)
    write_provenance(out, spec=spec, inputs=inputs, facts={})


def _stored_moments(metrics: Mapping[str, Any], moments: Mapping[str, str]) -> dict[str, str]:
    """Return the hash of the stored mean and covariance of each metric that takes one."""
    taking = {name: metric.features for name, metric in metrics.items() if metric.takes_moments}
    return {name: moments[feature] for name, feature in taking.items() if feature in moments}


def _options(described: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in described.items() if key != "name"}


def _arrays(path: Path) -> dict[str, np.ndarray]:
    return {name: read_member(path, name) for name in member_names(path)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--features", type=Path, help="features of the set to score (.npz)")
    source.add_argument(
        "--terms", type=Path, nargs="+", help="terms of a bound (.npz): of the test split, and of train"
    )
    source.add_argument("--images", type=Path, help="upsampled images of --truth (.npz), whose --low-res they saw")
    parser.add_argument("--truth", type=Path, help="the true images (.npz)")
    parser.add_argument("--low-res", type=Path, help="the true images, smaller (.npz)")
    parser.add_argument("--reference", type=Path, help="features of the reference (.npz)")
    parser.add_argument("--samples-provenance", type=Path, help="the sample set's .npz.json, for its cost")
    parser.add_argument("--out", type=Path, required=True, help="records to write (.json)")
    given = parser.parse_args(arguments)
    if given.features and not given.reference:
        parser.error("--features needs --reference")
    if given.images and not (given.truth and given.low_res):
        parser.error("--images needs --truth and --low-res")
    with run_record(given.run_record, stage="score", out=str(given.out)):
        if given.features:
            score_features(given.spec, given.features, given.reference, given.out, given.samples_provenance)
        elif given.images:
            score_pairs(given.spec, given.images, given.truth, given.low_res, given.out)
        else:
            score_terms(given.spec, given.terms, given.out)


if __name__ == "__main__":
    run_stage(main)
