"""The stage score: tidy records of metrics with their intervals, from features or a bound's terms. Needs no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from diffbench.base.arrays import member_names, read_member
from diffbench.base.digests import digest
from diffbench.base.errors import UserError
from diffbench.base.inputs import Inputs, checked, require_upstream, upstream_of
from diffbench.base.names import REAL
from diffbench.base.plugins import configure, load
from diffbench.base.protocol_ids import precision_field
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_recorded
from diffbench.base.records import Estimate, record, write_records
from diffbench.base.sizes import enlarged
from diffbench.jobs.features_facts import FeaturesFacts
from diffbench.jobs.sample_facts import Cost
from diffbench.jobs.score import BoundScoreJob, PairsJob, ScoreJob
from diffbench.jobs.terms_facts import TermsFacts
from diffbench.metrics._features import STORED_MOMENTS
from diffbench.metrics.bits_per_dim import BitsPerDim, gap, rate_and_distortion, subset_error
from diffbench.metrics.psnr import Psnr
from diffbench.protocols._contract import Protocol, protocol_id
from diffbench.stages._command import run_stage, stage_parser
from diffbench.stages._run_record import run_record


def score_features(
    job: ScoreJob,
    features: Path,
    reference: Path,
    out: Path,
    samples_provenance: Path | None = None,
    held_out: Path | None = None,
) -> None:
    """Write the protocol's metrics of a feature file against a reference's, and the samples' cost if it is known.

    If the job's row has `num_images`, only that many first images are scored: held-out real images are scored in this
    way at the models' number of images. held_out: features of real images that the model was not trained on, for
    metrics that need them. The row of real images has no such metric, because its images are the held-out ones.

    Raises: UserError if the files were made by different extractors, or held-out features are missing or not needed.
    """
    wanted = upstream_of(job.upstream)
    made = wanted.pop("samples_provenance", None)
    given = {
        "features": features,
        "reference": reference,
        "held_out": held_out,
        "samples_provenance": samples_provenance,
    }
    inputs = checked(given, foreign=("samples_provenance",), upstream=wanted)
    own, other = _Features.of(inputs, "features"), _Features.of(inputs, "reference")
    protocol: Protocol = job.protocol.configured()
    _require_comparable(own, other)
    unseen = None if held_out is None else _Features.of(inputs, "held_out")
    if unseen is not None:
        _require_comparable(own, unseen)
    protocol.require(resize=own.facts.resize, rounding=job.rounding)
    num_images = min(job.row.num_images or own.facts.num_images, own.facts.num_images)
    metrics = _metrics(protocol)
    _require_held_out(metrics, unseen, is_real=job.row.model == REAL)
    # The row of real images has the id of the other rows, but no number of a metric that needs held-out images.
    identity = _identity(job, protocol, metrics, other, num_images) | _held_out_fields(metrics, unseen or own)
    identity |= precision_field(other.facts.precision)
    generated, real = own.first(num_images), other.first(protocol.reference_images(other.facts.num_images))
    third = [] if unseen is None else [unseen.first(unseen.facts.num_images)]
    numbers = _numbers(metrics, generated, real, *third)
    if samples_provenance is not None:
        cost = _cost_of(samples_provenance, made, own)
        numbers |= {name: Estimate.exact(value) for name, value in costs_of_image(cost).items()}
    row, name = replace(job.row, num_images=num_images), protocol_id(identity)
    write_records(out, [record(row, metric, name, number) for metric, number in numbers.items()])
    facts = {"protocol": identity, "protocol_digest": digest(identity)[:8]}
    write_provenance(out, spec=job.as_json(), inputs=inputs, facts=facts)


@dataclass(frozen=True)
class _Features:
    """A file of features. images_sha256: the hash of the image file that they were extracted from."""

    path: Path
    facts: FeaturesFacts
    images_sha256: str

    @classmethod
    def of(cls, inputs: Inputs, name: str) -> "_Features":
        path, recorded = inputs.paths[name], inputs.records[name]
        return cls(path, FeaturesFacts.recorded(recorded), recorded["inputs"]["images"])

    def first(self, num_images: int) -> dict[str, np.ndarray]:
        """Return the features of the first images, and the stored means and covariances as they are."""
        stored = {key for names in STORED_MOMENTS.values() for key in names}
        return {key: values if key in stored else values[:num_images] for key, values in _arrays(self.path).items()}


def _require_comparable(own: _Features, other: _Features) -> None:
    """Raise UserError if the features of two files were extracted differently."""
    kept = {
        "extractor": (own.facts.weights_sha256, other.facts.weights_sha256),
        "resize": (own.facts.resize, other.facts.resize),
    }
    for field, (found, wanted) in kept.items():
        if found != wanted:
            raise UserError(f"{own.path} and {other.path} come from different extractors; not comparable: {field}")
    found, wanted = own.facts.precision, other.facts.precision
    if precision_field(found) != precision_field(wanted):
        raise UserError(f"{own.path} was extracted in {found}, {other.path} in {wanted}; not comparable: precision")


def _identity(
    job: ScoreJob, protocol: Protocol, metrics: Mapping[str, Any], reference: _Features, num_images: int
) -> dict[str, Any]:
    """Return the fields of the protocol's id. reference: features by the same extractor as those of the images."""
    return protocol.identity(
        job.protocol.name,
        extractor_sha256=reference.facts.weights_sha256,
        rounding=job.rounding,
        num_images=num_images,
        # A split's file is a function of the data set, but a file by others may pack the same images in many ways.
        reference_sha256=reference.facts.pixels_sha256 if protocol.reference_file else reference.images_sha256,
        num_reference=protocol.reference_images(reference.facts.num_images),
        options={name: asdict(metric) for name, metric in metrics.items()},
        moments=_stored_moments(metrics, reference.facts.moments or {}),
    )


def _metrics(protocol: Protocol) -> dict[str, Any]:
    """Return the metrics of a protocol by name, with the protocol's settings."""
    return {
        name: configure(load("metrics", name), protocol.metric_settings(name), f"protocol metric {name}")
        for name in protocol.metrics
    }


def _numbers(
    metrics: Mapping[str, Any],
    generated: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray],
    *held_out: Mapping[str, np.ndarray],
) -> dict[str, Estimate]:
    """Return the numbers of all metrics, in their order; those that need held-out images only if there are some.

    Metrics that share work are computed together.
    """
    names = [name for name, metric in metrics.items() if held_out or not metric.needs_held_out]
    found: dict[str, Estimate] = {}
    for name in names:
        metric, shared = metrics[name], metrics[name].together
        if name in found:
            continue
        if shared is None:
            found[name] = metric(generated, reference, *(held_out if metric.needs_held_out else ()))
        else:
            sharing = [other for other in names if metrics[other].together is shared]
            found |= zip(sharing, shared([metrics[other] for other in sharing], generated, reference), strict=True)
    return {name: found[name] for name in names}


def _require_held_out(metrics: Mapping[str, Any], held_out: "_Features | None", *, is_real: bool) -> None:
    """Raise UserError if held-out features are missing, except for the row of real images, or not needed."""
    needing = [name for name, metric in metrics.items() if metric.needs_held_out]
    if held_out is not None and not needing:
        raise UserError(f"--held-out: none of {', '.join(metrics)} needs it; leave it out")
    if held_out is None and needing and not is_real:
        raise UserError(f"{needing[0]}: needs real images that the model was not trained on; give --held-out")


def _held_out_fields(metrics: Mapping[str, Any], held_out: "_Features") -> dict[str, str]:
    """Return the fields of the protocol's id that say what the held-out images are, for each metric that needs them."""
    images = f"{held_out.facts.num_images}@{held_out.images_sha256[:8]}"
    return {f"{name}.held_out": images for name, metric in metrics.items() if metric.needs_held_out}


def _stored_moments(metrics: Mapping[str, Any], moments: Mapping[str, str]) -> dict[str, str]:
    """Return the hash of the stored mean and covariance of each metric that takes one."""
    taking = {name: metric.features for name, metric in metrics.items() if metric.takes_moments}
    return {name: moments[feature] for name, feature in taking.items() if feature in moments}


def _cost_of(samples_provenance: Path, made: str | None, features: _Features) -> Cost:
    """Return the cost of samples from their record. made: the digest of the job that must have made them.

    Raises: UserError if the features are not of these samples.
    """
    samples = read_recorded(samples_provenance)
    if made is not None:
        require_upstream(samples_provenance, made, samples, samples["sha256"])
    if samples["sha256"] != features.images_sha256:
        raise UserError(f"{samples_provenance}: of other samples than those whose features {features.path} holds")
    return Cost.recorded(samples)


def costs_of_image(cost: Cost) -> dict[str, float]:
    """Return what an image of a sample set cost, all stages of a cascade together.

    nfe: evaluations of denoising networks that an image needed. nfe_low_res: how many of them were before the last
    stage of a cascade. nfe_max: the evaluations in the last stage of the image that needed most; only if images differ.
    flops_per_image: operations of all evaluations, including those of images that were done before their batch.
    """
    found = {"nfe": cost.nfe}
    if cost.nfe_max is not None:
        found["nfe_max"] = cost.nfe_max
    evaluated = cost.nfe if cost.nfe_evaluated is None else cost.nfe_evaluated
    total = evaluated * cost.flops_per_evaluation
    if cost.classifier_evaluations is not None:
        found["classifier_evaluations"] = cost.classifier_evaluations
        total += cost.classifier_evaluations * (cost.flops_per_classifier_evaluation or 0)
    if isinstance(cost.low_res, Cost):
        below = costs_of_image(cost.low_res)
        found["nfe"] += below["nfe"]
        found["nfe_low_res"] = below["nfe"]
        total += below["flops_per_image"]
        if "classifier_evaluations" in below:
            found["classifier_evaluations"] = found.get("classifier_evaluations", 0) + below["classifier_evaluations"]
    return found | {"flops_per_image": total}


def score_terms(job: BoundScoreJob, terms: Sequence[Path], out: Path) -> None:
    """Write the test split's bound with its errors and its parts and, if the training split is given too, their gap.

    Raises: UserError if no file is of the test split, or the files are of different models or differently evaluated.
    """
    every = checked({str(path): path for path in terms}, upstream=upstream_of(job.upstream, terms=terms))
    # The files are sorted, so that the order of the records does not depend on the order of the arguments.
    bounds = sorted((_Bound.of(every, path) for path in terms), key=lambda bound: bound.facts.split)
    _require_one_model(bounds, terms)
    records = [
        record(replace(job.row, num_images=bound.facts.num_images), metric, bound.protocol, number)
        for bound in bounds
        for metric, number in bound.numbers().items()
    ]
    if len(bounds) == 2:
        test, train = bounds
        between = gap(BitsPerDim()(test.arrays), BitsPerDim()(train.arrays))
        row = replace(job.row, num_images=None)
        records.append(record(row, "nll_gap_bits_per_dim", f"{test.protocol} - {train.protocol}", between))
    write_records(out, records)
    protocols = list(dict.fromkeys(item["protocol"] for item in records))
    inputs = every.renamed({str(bound.path): f"terms_{bound.facts.split}" for bound in bounds})
    write_provenance(out, spec=job.as_json(), inputs=inputs, facts={"protocol": protocols})


@dataclass(frozen=True)
class _Bound:
    """The terms of a model's bound on a split. weights, data: hashes of what they were computed from."""

    path: Path
    facts: TermsFacts
    arrays: Mapping[str, np.ndarray]
    weights: str
    data: str

    @classmethod
    def of(cls, inputs: Inputs, path: Path) -> "_Bound":
        recorded = inputs.records[str(path)]
        made_from = recorded["inputs"]
        return cls(path, TermsFacts.recorded(recorded), _arrays(path), made_from["weights"], made_from["data"])

    @property
    def protocol(self) -> str:
        """The protocol's id: which images, on which grey levels, and how many timesteps of the chain."""
        facts = self.facts
        precision = "".join(f";{key}={value}" for key, value in precision_field(facts.precision).items())
        images = f"split={facts.split}@{self.data[:8]};n={facts.num_images};of={facts.of};flip=false"
        return f"bound;{images};levels={facts.levels};strata={len(self.arrays['width'])};clip=true;version=2{precision}"

    def numbers(self) -> dict[str, Estimate]:
        """Return the bound with its errors; for the test split also its parts and the bits of the baseline codes."""
        prefix = "nll" if self.facts.split == "test" else f"nll_{self.facts.split}"
        found = {f"{prefix}_bits_per_dim": BitsPerDim()(self.arrays)}
        error = subset_error(self.arrays)
        if error is not None:
            found[f"{prefix}_subset_se"] = Estimate.exact(error)
        if self.facts.split == "test":
            found |= rate_and_distortion(self.arrays)
            codes = {} if self.facts.codes is None else asdict(self.facts.codes)
            found |= {name: Estimate.exact(bits) for name, bits in codes.items() if bits is not None}
        return found


def _require_one_model(bounds: Sequence[_Bound], terms: Sequence[Path]) -> None:
    """Raise UserError if bounds are not of one model, or not evaluated alike on the test split and perhaps training."""
    given = ", ".join(map(str, terms))
    if [bound.facts.split for bound in bounds] not in (["test"], ["test", "train"]):
        raise UserError(f"--terms: {given}: give one file of the test split and, at most, one of the training split")
    if len({bound.weights for bound in bounds}) > 1:
        raise UserError(f"--terms: {given} are of different weights; not comparable: weights")
    if len({bound.facts.precision for bound in bounds}) > 1:
        raise UserError(f"--terms: {given} were computed in different precisions; not comparable: precision")
    if len({bound.arrays["width"].tobytes() for bound in bounds}) > 1:
        raise UserError(f"--terms: {given} took different timesteps of the chain; not comparable: strata")


def score_pairs(job: PairsJob, images: Path, truth: Path, low_res: Path, out: Path) -> None:
    """Write two PSNRs to the true images: that of upsampled images, and that of the enlarged low-resolution images.

    Image k of each file shows the same picture.
    Raises: UserError if there are fewer true images than upsampled ones, or these were not made from `low_res`.
    """
    inputs = checked({"images": images, "truth": truth, "low_res": low_res}, upstream=upstream_of(job.upstream))
    upsampled = read_member(images, "arr_0")
    true, small = (read_member(path, "arr_0")[: len(upsampled)] for path in (truth, low_res))
    for path, found in ((truth, true), (low_res, small)):
        if found.dtype != np.uint8 or found.ndim != 4:
            raise UserError(f"{path}: arr_0 is {found.dtype}{found.shape}, wanted uint8 images")
    if inputs.records["images"]["inputs"].get("low_res") != inputs.sha256["low_res"]:
        raise UserError(f"{images}: not upsampled from {low_res}, but from another version of it or other images")
    reference, given = (f"{inputs.paths[name].stem}@{inputs.sha256[name][:8]}" for name in ("truth", "low_res"))
    images_of = f"reference={reference};low_res={given}"
    name = f"pairs;{images_of};rounding={job.rounding};n={len(upsampled)};version=1"
    row = replace(job.row, num_images=len(upsampled))
    metric = Psnr()
    sets = {"psnr": upsampled, "psnr_enlarged": enlarged(small, *true.shape[1:3])}
    records = [record(row, key, name, metric({"images": own}, {"images": true})) for key, own in sets.items()]
    write_records(out, records)
    write_provenance(out, spec=job.as_json(), inputs=inputs, facts={})


def _arrays(path: Path) -> dict[str, np.ndarray]:
    return {name: read_member(path, name) for name in member_names(path)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--features", type=Path, help="features of the set to score (.npz)")
    source.add_argument(
        "--terms",
        type=Path,
        nargs="+",
        help="terms of a bound (.npz): of the test split, and perhaps of the training split",
    )
    source.add_argument("--images", type=Path, help="images that were upsampled from --low-res (.npz)")
    parser.add_argument("--truth", type=Path, help="the true images (.npz)")
    parser.add_argument("--low-res", type=Path, help="the true images, made smaller (.npz)")
    parser.add_argument("--reference", type=Path, help="features of the reference (.npz)")
    parser.add_argument(
        "--held-out", type=Path, help="features of real images that the model was not trained on (.npz)"
    )
    parser.add_argument("--samples-provenance", type=Path, help="the sample set's .npz.json, for its cost")
    parser.add_argument("--out", type=Path, required=True, help="records to write (.json)")
    given = parser.parse_args(arguments)
    if given.features and not given.reference:
        parser.error("--features needs --reference")
    if given.images and not (given.truth and given.low_res):
        parser.error("--images needs --truth and --low-res")
    with run_record(given.run_record, stage="score", out=str(given.out)):
        if given.features:
            score_features(
                ScoreJob.read(given.spec),
                given.features,
                given.reference,
                given.out,
                given.samples_provenance,
                given.held_out,
            )
        elif given.images:
            score_pairs(PairsJob.read(given.spec), given.images, given.truth, given.low_res, given.out)
        else:
            score_terms(BoundScoreJob.read(given.spec), given.terms, given.out)


if __name__ == "__main__":
    run_stage(main)
