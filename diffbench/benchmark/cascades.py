"""Readers and checks of the keys for image sizes: smaller models, upsamplers, and the images they start from."""

from collections.abc import Mapping
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.base.plugins import configure, nearest
from diffbench.base.sizes import size_of, sized
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Model
from diffbench.jobs.sample import LowRes


def sizes_of(entry: Mapping[str, Any], network_name: str, network: Any, where: str) -> tuple[int | None, int | None]:
    """Return two heights: of the images that a model makes, and of those that it starts from.

    The first is None if it is the data set's; the second is None if the model is no upsampler.
    Raises: UserError if the network does not fit, or the second is not below the first.
    """
    size, low_size = size_of(entry, "size", where), size_of(entry, "low_size", where)
    if low_size is not None and not network.upsamples:
        raise UserError(f"{where}.low_size: {network_name} takes no low-resolution images; use super_resolution")
    if low_size is None and network.upsamples:
        raise UserError(f"{where}: network {network_name} needs low-resolution images; add 'low_size', their height")
    if size is not None and low_size is not None and low_size >= size:
        raise UserError(f"{where}.low_size: {low_size} pixels are not below the model's own size, {size}")
    return size, low_size


def low_res_of(entry: Mapping[str, Any], low_size: int | None, where: str) -> LowRes | None:
    """Return where an upsampler's low-resolution images come from; None if the entry lacks it. Raises: UserError."""
    given = entry.get("low_res")
    if low_size is not None and entry.get("labels") is not None:
        raise UserError(f"{where}.labels: an upsampler's labels come with its low-resolution images; leave it out")
    if given is None:
        return None
    if low_size is None:
        raise UserError(f"{where}.low_res: this model takes no low-resolution images; it belongs to an upsampler")
    return configure(LowRes, {"model": given} if given == REAL else given, f"{where}.low_res")


def check_cascades(benchmark: Benchmark) -> None:
    """Raise UserError if an upsampler that is sampled has no images to start from, or they do not fit it."""
    for model in benchmark.models.values():
        if model.low_res is not None and model.low_res.model != REAL:
            _check_base(benchmark, model, model.low_res, f"models.{model.name}.low_res")
    for model in benchmark.models.values():
        guided = model.guidance is not None and model.guidance.needs_classifier
        takes_labels = guided or model.network.class_conditional
        if model.low_res is not None and takes_labels and not benchmark.labelled(model.name):
            raise UserError(
                f"models.{model.name}.low_res: this upsampler needs labels, and samples of {model.low_res.model} have "
                "none; use a class-conditional or guided base, or an upsampler without network.class_conditional"
            )
    for i, run in enumerate(benchmark.runs):
        for name in run.models:
            model = benchmark.models.get(name)
            if model is not None and model.low_size is not None and model.low_res is None:
                raise UserError(
                    f"runs[{i}].models: {name} is an upsampler without 'low_res'; "
                    f"add a model {{of: {model.of}, low_res: ...}} and name that"
                )


def _check_base(benchmark: Benchmark, model: Model, low_res: LowRes, where: str) -> None:
    for key, known in (("model", benchmark.models), ("sampler", benchmark.samplers)):
        name = getattr(low_res, key)
        if name not in known:
            raise UserError(f"{where}.{key}: no {key} '{name}'; {nearest(name, known)}")
    base = benchmark.models[low_res.model]
    if base.size != model.low_size:
        raise UserError(
            f"{where}: {base.name} makes images of {sized(base.size)}, and the upsampler is given those of "
            f"{sized(model.low_size)}; their sizes must be equal"
        )
    if base.low_size is not None and base.low_res is None:
        raise UserError(f"{where}.model: {base.name} is itself an upsampler without 'low_res'; add it there")
