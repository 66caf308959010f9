"""sample: a model's weights in, sample sets out, one for each number of steps."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diffbench.base.arrays import is_whole, load_member, member_names, read_member, save_npz, writing_npz
from diffbench.base.classes import LABEL_RULES, unlike_uniform
from diffbench.base.command import add_device, run_stage, stage_parser
from diffbench.base.devices import chosen_device, device_facts, make_deterministic
from diffbench.base.digests import digest
from diffbench.base.errors import UserError
from diffbench.base.images import ROUNDINGS, to_float
from diffbench.base.inputs import Inputs, checked, upstream_of
from diffbench.base.locks import exclusive
from diffbench.base.progress import progress
from diffbench.base.provenance import versions_of, write_provenance
from diffbench.base.run_record import run_record
from diffbench.base.seeds import Stream
from diffbench.base.sizes import shrunk_shape
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition, Denoiser, ModelDenoiser
from diffbench.diffusion.micro_batches import batch_ranges
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Level
from diffbench.diffusion.x_0_error import KnownErrorDenoiser
from diffbench.guidance._gradient import ClassifierGradient
from diffbench.networks._flops import classifier_flops_per_row, flops_per_row
from diffbench.samplers._batches import Conditions, sample
from diffbench.samplers._contract import State
from diffbench.stages._model import diffusion_of, load_classifier, load_model, part_of

COSTS = (
    "nfe",
    "nfe_max",
    "nfe_evaluated",
    "flops_per_evaluation",
    "classifier_evaluations",
    "flops_per_classifier_evaluation",
    "low_res",
)
"""Facts of a sample set that say what it cost; `low_res` holds those of the set that it was upsampled from."""


def sample_sets(
    spec: dict[str, Any],
    weights: Path,
    outs: Sequence[Path],
    *,
    device: str = "auto",
    classifier: Path | None = None,
    low_res: Path | None = None,
    terms: Path | None = None,
    cache: Path = Path(".cache"),
    record: dict[str, Any] | None = None,
) -> None:
    """Write a sample set (`arr_0`, uint8 NHWC) and its provenance for each of the spec's spacings.

    classifier: the weights that guidance needs. low_res: the images that an upsampler starts from, image k from the
    k-th. terms: of the model's bound, which samplers that need the error of x_0 take it from.
    Labelled sets have the labels that were asked for as `arr_1`, upsampled ones those of their images.
    Finished micro-batches wait in `cache`, where a job that is cut off and started again finds them. Raises: UserError.
    """
    if len(outs) != len(spec["spacings"]):
        raise UserError(f"--out: {len(outs)} files for {len(spec['spacings'])} spacings")
    if bool(spec.get("classifier")) != (classifier is not None):
        raise UserError("--classifier: goes with a spec whose guidance has a classifier, and only with it")
    inputs = checked(
        {"weights": weights, "classifier": classifier, "low_res": low_res, "terms": terms}, upstream=upstream_of(spec)
    )
    make_deterministic(spec["threads"])
    chosen = chosen_device(device)
    # What a shard holds has changed once: those of before are not this job's.
    identity = {"spec": {**spec, "spacings": None}, **inputs.sha256, "device": chosen.type, "shard": 2}
    # Half of a set by one version of torch and half by another would be a set of neither.
    identity["versions"] = versions_of(spec)
    told = unlike_uniform(inputs.records["weights"]["facts"].get("class_counts"))
    labelled = is_conditional(spec) or spec.get("classifier")
    if told and labelled and low_res is None and spec.get("labels") != "as_in_data":
        sys.stderr.write(f"diffbench: {told}\n")
    images = steps = 0
    with ExitStack() as locks:
        folders = [
            locks.enter_context(exclusive(cache / "sample" / digest(identity | {"spacing": spacing})[:24]))
            for spacing in spec["spacings"]
        ]
        for spacing, out, folder in zip(spec["spacings"], outs, folders, strict=True):
            count = sample_set(spec, spacing, inputs, out, chosen, folder)
            images, steps = images + spec["num_images"], steps + count * spec["num_images"]
        # Not before all sets are written: a job that is started again makes all of its files again.
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    if record is not None:
        record |= {"num_images": images, "image_steps": steps, "device": chosen.type}


def sample_set(
    spec: dict[str, Any], spacing: str, inputs: Inputs, out: Path, device: torch.device, folder: Path
) -> int:
    """Write one sample set and return its number of steps.

    inputs: `weights`, and `classifier`, `low_res` and `terms` where they are used.
    """
    diffusion = diffusion_of(spec)
    chain = diffusion.chain(spacing)
    off_grid = spec.get("off_grid", "refuse")
    own = len(chain) == diffusion.timesteps and off_grid == "refuse"
    model, facts = load_model(spec, inputs.paths["weights"], device, full_chain=own, off_grid=off_grid)
    if ("low_size" in facts) != ("low_res" in inputs.paths):
        raise UserError(f"--low-res: goes with an upsampler, and only with it; see {inputs.paths['weights']}.json")
    gradient = None
    if "classifier" in inputs.paths:
        gradient = load_classifier(spec["classifier"], inputs.paths["classifier"], facts, device, off_grid)
    settings, num_images = spec["sampling"], spec["num_images"]
    sampler = part_of("samplers", spec["sampler"])
    denoiser = guided_denoiser(spec, model, gradient, applies_gradient=sampler.applies_gradient)
    if sampler.needs_error != ("terms" in inputs.paths):
        raise UserError("--terms: goes with samplers that need the error of x_0, and only with them")
    if "terms" in inputs.paths:
        terms = inputs.paths["terms"]
        if inputs.records["terms"]["inputs"].get("weights") != inputs.sha256["weights"]:
            raise UserError(f"{terms}: the bound of other weights than {inputs.paths['weights']}'s")
        measured = (read_member(terms, name) for name in ("timesteps", "x_0_mse"))
        denoiser = KnownErrorDenoiser.of(denoiser, model.chain, *measured)
    height, width, channels = facts["shape"]
    to_bytes = ROUNDINGS[settings["rounding"]]
    seed: int | str = spec["seed"]
    if "low_res" in inputs.paths:
        conditions: Conditions | None = upsampling_conditions(spec, facts, inputs.paths["low_res"])
        # Other noise than that of the image it starts from, whose pixels would else begin with equal draws.
        seed = f"{seed}, upsampled from {facts['low_size']}"
    else:
        conditions = conditions_of(spec, facts)
    shards = []
    ranges = batch_ranges(num_images, settings["micro_batch"])
    own_nfe: list[np.ndarray] = []
    adaptive, calls = sampler.adaptive, [0]

    def called(x: X, level: Level, condition: Condition | None = None) -> Prediction:
        calls[0] += 1
        return denoiser(x, level, condition)

    def counted(state: State) -> None:
        bar.update()
        if adaptive and state.nfe is not None:
            own_nfe.append(np.asarray(state.nfe))
            if own_nfe[-1].shape != (len(state.x),):
                raise UserError(f"sampler {spec['sampler']['name']}: State.nfe is not one number for each image")

    with progress(len(ranges) * len(chain), f"sample {spec['sampler']['name']} {spacing}") as bar:
        for start, end in ranges:
            shard = folder / f"{start}.npz"
            shards.append(shard)
            if is_whole(shard):
                bar.update(len(chain))
                continue
            own_nfe.clear()
            calls[0] = 0
            before, classified = model.rows, gradient.rows if gradient else 0
            x = sample(
                sampler,
                called,
                chain,
                index=range(start, end),
                shape=(channels, height, width),
                seed=seed,
                micro_batch=settings["micro_batch"],
                conditions=conditions,
                device=device,
                on_step=counted,
            )
            rows = [model.rows - before, (gradient.rows if gradient else 0) - classified]
            # Where images take as many evaluations as each needs, the batch runs until the last of them is done.
            evaluations = rows[0] / settings["micro_batch"]
            own = np.full(end - start, evaluations)
            if own_nfe:
                # A call may evaluate the network more than once, as guidance without a classifier does.
                own = own_nfe[-1][: end - start] * (evaluations / calls[0])
            save_npz(shard, {"arr_0": to_bytes(x), "rows": np.array(rows), "nfe": own})
    y = None if conditions is None else conditions(torch.arange(num_images)).y
    with writing_npz(out) as writer:
        with writer.member("arr_0", (num_images, height, width, channels), np.uint8) as images:
            for shard in shards:  # one at a time: a set may be larger than memory
                images.write(load_member(shard, "arr_0"))
        if y is not None:
            writer.add("arr_1", y.numpy())
    rows = np.sum([read_member(shard, "rows") for shard in shards], axis=0)
    evaluated, classifier_evaluations = (rows / (len(shards) * settings["micro_batch"])).tolist()
    nfe = np.concatenate([read_member(shard, "nfe") for shard in shards])
    cost = {"nfe": float(nfe.mean())}
    if adaptive:
        cost |= {"nfe_max": float(nfe.max()), "nfe_evaluated": evaluated}
    cost |= {"flops_per_evaluation": flops(model, facts, device, is_conditional(spec))}
    if "low_res" in inputs.records:
        cost["low_res"] = cost_of(inputs.records["low_res"])
    if "full_size" in facts:
        cost["full_size"] = facts["full_size"]
    if gradient is not None:
        cost["classifier_evaluations"] = classifier_evaluations
        cost["flops_per_classifier_evaluation"] = gradient_flops(gradient, facts, device)
    write_provenance(out, spec=spec | {"spacings": [spacing]}, inputs=inputs, facts=cost | device_facts(device))
    return len(chain)


def is_conditional(spec: dict[str, Any]) -> bool:
    """Return whether a spec's network takes labels."""
    return bool(spec["network"].get("class_conditional"))


def guided_denoiser(
    spec: dict[str, Any], model: ModelDenoiser, gradient: ClassifierGradient | None, *, applies_gradient: bool
) -> Denoiser:
    """Return what the sampler calls, in the published order: eps mixed, x_0 clipped, eps shifted or the gradient added.

    A classifier's labels stay with the classifier where the model is unconditional.
    """
    conditional = is_conditional(spec)

    def labelled(x: X, level: Level, condition: Condition | None = None) -> Prediction:
        given = condition or Condition()
        return model(x, level, given if conditional else replace(given, y=None))

    denoiser: Denoiser = labelled
    guidance = part_of("guidance", spec["guidance"]) if spec.get("guidance") else None
    if guidance is not None and guidance.before_clipping:
        denoiser = guidance(denoiser, gradient, applies_gradient=applies_gradient)
    if spec["sampling"]["clip_x_0"]:
        denoiser = ClippedDenoiser(denoiser)
    if guidance is not None and not guidance.before_clipping:
        denoiser = guidance(denoiser, gradient, applies_gradient=applies_gradient)
    return denoiser


def conditions_of(spec: dict[str, Any], facts: dict[str, Any]) -> Conditions | None:
    """Return what image k is to be, or None where neither the model nor a classifier takes a label.

    iid: a label drawn uniformly by (seed, k); balanced: k modulo the number of classes; as_in_data: a label drawn by
    (seed, k) with the shares that the classes had in training. Raises: UserError where these are not recorded.
    Source: guided-diffusion's classifier_sample.py draws labels independently and uniformly.
    """
    if not is_conditional(spec) and not spec.get("classifier"):
        return None
    rule, counts = spec.get("labels") or "iid", facts.get("class_counts")
    if rule == "balanced":
        return lambda index: Condition(y=index % facts["num_classes"])
    stream = Stream(spec["seed"], "label")
    if rule == "iid":
        return lambda index: Condition(y=stream.integers(index, 0, facts["num_classes"]))
    if rule != "as_in_data":
        raise UserError(f"--spec.labels: {rule!r} is not allowed; allowed: {', '.join(LABEL_RULES)}")
    if not counts:
        raise UserError(
            "labels: as_in_data needs the class_counts of the training images, and the weights' record has none; "
            "train the model here, or choose iid or balanced"
        )
    # An image of the training data is drawn, and its class taken: class y has those before ends[y].
    ends = torch.tensor(counts).cumsum(0)
    return lambda index: Condition(y=torch.searchsorted(ends, stream.integers(index, 0, sum(counts)), right=True))


def upsampling_conditions(spec: dict[str, Any], facts: dict[str, Any], low_res: Path) -> Conditions:
    """Return the low-resolution image that image k starts from, and its label where it has one: the k-th of a file.

    Raises: UserError where they are too few, of another size than the upsampler was trained on, or lack labels.
    """
    images = read_member(low_res, "arr_0")
    height, width, channels = facts["shape"]
    wanted = (facts["low_size"], width * facts["low_size"] // height, channels)
    if images.dtype != np.uint8 or images.shape[1:] != wanted:
        found = f"{images.dtype} images of {'x'.join(map(str, images.shape[1:]))}"
        raise UserError(f"{low_res}: {found}, the upsampler was trained on uint8 of {'x'.join(map(str, wanted))}")
    if len(images) < spec["num_images"]:
        raise UserError(f"{low_res}: {len(images)} images, and {spec['num_images']} are to be upsampled; ask for fewer")
    labels = None
    if "arr_1" in member_names(low_res):
        labels = torch.from_numpy(np.array(read_member(low_res, "arr_1")))
    elif is_conditional(spec) or spec.get("classifier"):
        raise UserError(f"{low_res}: no labels (arr_1), which the upsampler or its guidance needs")
    return lambda index: Condition(y=None if labels is None else labels[index], low_res=to_float(images[index.numpy()]))


def cost_of(samples: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the provenance of a sample set says that it cost; of real images, nothing."""
    return {key: value for key, value in samples["facts"].items() if key in COSTS}


def flops(model: ModelDenoiser, facts: dict[str, Any], device: torch.device, conditional: bool) -> int:
    """Return the floating-point operations of one network evaluation of one image."""
    height, width, channels = facts["shape"]
    shape = (channels, height, width)
    low_shape = shrunk_shape(shape, facts["low_size"]) if "low_size" in facts else None
    return flops_per_row(model.network, shape, conditional=conditional, low_shape=low_shape, device=device)


def gradient_flops(gradient: ClassifierGradient, facts: dict[str, Any], device: torch.device) -> int:
    """Return the floating-point operations of one evaluation of the gradient for one image, forward and backward."""
    height, width, channels = facts["shape"]
    return classifier_flops_per_row(gradient.network, (channels, height, width), with_gradient=True, device=device)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="a trained model (.safetensors)")
    parser.add_argument("--classifier", type=Path, help="a trained noisy classifier, where the guidance needs one")
    parser.add_argument("--low-res", type=Path, help="the images that an upsampler starts from (.npz)")
    parser.add_argument("--terms", type=Path, help="the model's bound, where the sampler needs the error of x_0 (.npz)")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help="sample sets to write (.npz), one a spacing")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="where finished micro-batches wait")
    add_device(parser)
    given = parser.parse_args(arguments)
    outs = [str(path) for path in given.out]
    with run_record(given.run_record, stage="sample", out=outs) as record:
        sample_sets(
            given.spec,
            given.weights,
            given.out,
            device=given.device,
            classifier=given.classifier,
            low_res=given.low_res,
            terms=given.terms,
            cache=given.cache,
            record=record,
        )


if __name__ == "__main__":
    run_stage(main)
