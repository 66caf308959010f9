"""The keys of a benchmark's file as dataclasses: what can be written, before `base` and names are resolved.

The loader takes its lists of keys from here, and the schema and the reference of the YAML their descriptions.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from diffbench.base.classes import LabelRule
from diffbench.benchmark.entries import Bound, Execution, Run
from diffbench.benchmark.numerics import StageNumerics
from diffbench.diffusion.denoiser import Diffusion
from diffbench.diffusion.off_grid import OffGrid
from diffbench.jobs.model import Weights
from diffbench.jobs.sample import LowRes, Sampling
from diffbench.training.settings import Training, Validation


@dataclass(frozen=True)
class CheckpointFile:
    """Weights that are not trained here, with the entry of the file that holds them.

    path: the file. key: the entry of the file that holds the weights, if it holds more.
    """

    path: str
    key: str | None = None


@dataclass(frozen=True)
class ModelEntry:
    """A model: what is trained, or whose weights are taken, and how it is sampled.

    base: a model whose keys this entry takes; maps merge by key, everything else is replaced. of: a model whose weights
    this entry samples in another way; only guidance, labels, weights and low_res may be beside it. network: a network
    and its settings. checkpoint: a file of weights that are not trained here. objective: what training minimises.
    training: settings of training. size: the height of the images in pixels, if they are smaller than the data set's.
    low_size: the height of the images that an upsampler is given. guidance: how samples are pushed towards labels, with
    the `classifier` that is used. labels: how the labels of samples are chosen: drawn uniformly (iid), each class in
    turn (balanced), or as often as in the data (as_in_data). weights: the averaged ones (ema), or those of the last
    step (raw). low_res: where an upsampler's images come from: real, or a model with its sampler and steps.
    """

    base: str | None = None
    of: str = ""
    network: Any = None
    checkpoint: str | CheckpointFile | None = None
    objective: Any = "simple"
    training: Training | None = None
    size: int | None = None
    low_size: int | None = None
    guidance: Any = None
    labels: LabelRule | None = None
    weights: Weights = "ema"
    low_res: Literal["real"] | LowRes | None = None


@dataclass(frozen=True)
class ClassifierEntry:
    """A classifier of noisy images, which guides models.

    network: a classifier and its settings. checkpoint: a file of weights that are not trained here. training: settings
    of training. weights: the averaged ones (ema), or those of the last step (raw). size: the height of the images in
    pixels, if they are smaller than the data set's.
    """

    network: Any = None
    checkpoint: str | CheckpointFile | None = None
    training: Training | None = None
    weights: Weights = "raw"
    size: int | None = None


@dataclass(frozen=True)
class SamplerKeys:
    """The keys of every sampler's entry, beside the sampler's own.

    config: a scheduler_config.json of diffusers, whose options the entry takes. spacing: the time grid: uniform, ddim,
    quadratic, karras or log_snr, with options after it ("karras rho=7"), or the steps of each section ("10,15,20").
    off_grid: the timestep that the network gets between the levels that it was trained at: none, so that they are
    refused, the nearest, or a fractional one (interpolate).
    """

    config: str = ""
    spacing: str = "uniform"
    off_grid: OffGrid = "refuse"


@dataclass(frozen=True)
class GuidanceKeys:
    """The keys of every guidance, beside the rule's own.

    classifier: the entry of `classifiers` whose gradient is used, for rules that use one.
    """

    classifier: str | None = None


@dataclass(frozen=True)
class GridEntry:
    """All combinations of the choices that an ablation varies. Combinations without a meaning are left out.

    base: the model whose other keys they have. parameterization, objective, variance, schedule: a value, or a list of
    values.
    """

    base: str | None
    parameterization: str | tuple[str, ...]
    objective: str | tuple[str, ...]
    variance: str | tuple[str, ...]
    schedule: str | tuple[str, ...]


@dataclass(frozen=True)
class BenchmarkFile:
    """A benchmark: its data, models and samplers, how samples are scored, and the rows of its tables.

    benchmark: its name, which is also that of the folder of its results. dataset: the data set and its options. models:
    models by name. samplers: samplers by name; without a `name` the entry's own name chooses the sampler. protocols:
    protocols by name, under which samples are scored. runs: blocks of rows of the tables. extractors: extractors of
    features by name, for protocols to name. grids: ablations by name, each of which makes many models. classifiers:
    classifiers of noisy images by name. sampling: settings of sampling that are the same for all. bound: how the
    variational bound is evaluated. validation: how the validation loss of models in training is measured, if it is.
    numerics: how the networks of each stage compute. execution: how and where jobs run.
    """

    benchmark: str
    dataset: Any
    models: dict[str, Any]
    samplers: dict[str, Any]
    protocols: dict[str, Any]
    runs: tuple[Run, ...]
    extractors: dict[str, Any] | None = None
    grids: dict[str, Any] | None = None
    classifiers: dict[str, Any] | None = None
    sampling: Sampling | None = None
    bound: Bound | None = None
    validation: Validation | None = None
    numerics: StageNumerics | None = None
    execution: Execution | None = None


def keys_of(kind: type) -> tuple[str, ...]:
    """Return the keys that a class of this module describes."""
    return tuple(field.name for field in dataclasses.fields(kind))


SECTIONS = keys_of(BenchmarkFile)
"""The keys of a benchmark's file."""

REQUIRED = tuple(field.name for field in dataclasses.fields(BenchmarkFile) if field.default is dataclasses.MISSING)
"""Those of them that every file has."""

DIFFUSION_KEYS = keys_of(Diffusion)
PROCESS_KEYS = ("timesteps", "schedule", "rescale_timesteps")
"""Those of DIFFUSION_KEYS that a classifier has, too."""

SAMPLED_KEYS = ("guidance", "labels", "weights", "low_res")
"""Keys of a model that concern its sampling alone."""

MODEL_KEYS = (*keys_of(ModelEntry), *DIFFUSION_KEYS)
CLASSIFIER_KEYS = (*keys_of(ClassifierEntry), *PROCESS_KEYS)
