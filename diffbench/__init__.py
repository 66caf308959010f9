"""diffbench: reproducible benchmarks for image diffusion models.

The functions that the stages use can be imported: `from diffbench import fid, sample, bits_per_dim`. A module is loaded
when one of its names is first used, because the import of torch takes seconds and scoring does not need it.
"""

import importlib
from importlib import metadata
from typing import Any

PUBLIC = {
    "fid": "diffbench.metrics.fid",
    "frechet_distance": "diffbench.metrics.fid",
    "kid": "diffbench.metrics.kid",
    "inception_score": "diffbench.metrics.inception_score",
    "precision": "diffbench.metrics.precision",
    "recall": "diffbench.metrics.recall",
    "density": "diffbench.metrics.density",
    "coverage": "diffbench.metrics.coverage",
    "fid_infinity": "diffbench.metrics.fid_infinity",
    "nearest_neighbour": "diffbench.metrics.nearest_neighbour",
    "mind": "diffbench.metrics.mind",
    "authpct": "diffbench.metrics.authpct",
    "ct": "diffbench.metrics.ct",
    "products_on": "diffbench.metrics._products",
    "bits_per_dim": "diffbench.diffusion.bound",
    "bound_terms": "diffbench.diffusion.bound",
    "strata": "diffbench.diffusion.bound",
    "rate_at": "diffbench.diffusion.bound",
    "rate_distortion": "diffbench.diffusion.bound",
    "subset_error": "diffbench.metrics.bits_per_dim",
    "reconstructions": "diffbench.diffusion.progressive",
    "psnr": "diffbench.diffusion.similarity",
    "ssim": "diffbench.diffusion.similarity",
    "discretised_log_likelihood": "diffbench.diffusion.likelihood",
    "training_chain": "diffbench.diffusion.process",
    "PipelineUnet": "diffbench.diffusion.pipeline_unet",
    "sample": "diffbench.samplers._batches",
    # What a part of your own needs (docs/extending).
    "State": "diffbench.samplers._contract",
    "Noise": "diffbench.samplers._contract",
    "Sampler": "diffbench.samplers._contract",
    "Level": "diffbench.diffusion.process",
    "Chain": "diffbench.diffusion.process",
    "Denoiser": "diffbench.diffusion.denoiser",
    "Prediction": "diffbench.diffusion.parameterization",
    "Condition": "diffbench.diffusion.denoiser",
    "Diffusion": "diffbench.diffusion.denoiser",
    "Estimate": "diffbench.base.records",
    "Metric": "diffbench.metrics._contract",
    "feature": "diffbench.metrics._features",
    "feature_pair": "diffbench.metrics._features",
    "mean_estimate": "diffbench.metrics._mean",
    "share_estimate": "diffbench.metrics._intervals:share",
    "Dataset": "diffbench.datasets._contract",
    "Split": "diffbench.datasets._split",
    "split_of_arrays": "diffbench.datasets._split",
    "checked_labels": "diffbench.datasets._split",
    "NetworkSettings": "diffbench.networks._contract",
    "Objective": "diffbench.diffusion.batch",
    "PredictedBatch": "diffbench.diffusion.batch",
    "vlb_term": "diffbench.diffusion.likelihood",
    "Guidance": "diffbench.guidance._contract",
    "Gradient": "diffbench.guidance._contract",
    "with_eps": "diffbench.diffusion.denoiser",
    "with_x_0": "diffbench.diffusion.denoiser",
    "over": "diffbench.diffusion.process",
    "Extractor": "diffbench.extractors._contract",
    "Table": "diffbench.tables._contract",
    "UserError": "diffbench.base.errors",
    # Running a benchmark and reading its results.
    "load_benchmark": "diffbench.benchmark.load",
    "measure": "diffbench.commands.measure.asked",
    "copies": "diffbench.commands.copies.run",
    "open": "diffbench.api.results:open_results",
    "features": "diffbench.api.scoring",
    "score": "diffbench.api.scoring",
    "compare": "diffbench.api.scoring",
    "grid": "diffbench.api.images",
    "prove": "diffbench.api.proof",
}
"""The module of each public name, and after a colon its name there if that is another one."""

# `from diffbench import *` must not replace Python's own open.
__all__ = sorted({*PUBLIC} - {"open"})  # pyright: ignore[reportUnsupportedDunderAll]  # noqa: PLE0605  (names are those of PUBLIC)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return metadata.version("diffbench")
    if name not in PUBLIC:
        raise AttributeError(f"module 'diffbench' has no attribute '{name}'")
    module, _, there = PUBLIC[name].partition(":")
    return getattr(importlib.import_module(module), there or name)


def __dir__() -> list[str]:
    return [*globals(), *PUBLIC]
