"""Entries of a benchmark's file as dataclasses: settings, runs, models, samplers, classifiers and checkpoints."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from diffbench.base.classes import LabelRule
from diffbench.base.names import SplitName
from diffbench.diffusion.off_grid import OffGrid
from diffbench.jobs.model import Weights
from diffbench.jobs.sample import LARGEST_BATCH, LowRes
from diffbench.jobs.weights_facts import WeightsFacts


@dataclass(frozen=True)
class Bound:
    """How the variational bound is evaluated.

    splits: the splits whose images are evaluated; test must be one of them. timesteps: the number of terms that are
    evaluated per image, in strata over the chain; null evaluates all. num_images: the number of images of each split,
    evenly spread over it; null takes all. reconstructions: the number of test images whose progressive reconstructions
    are kept for figures. micro_batch: the number of images that the network sees at once.
    """

    splits: tuple[SplitName, ...] = ("test", "train")
    timesteps: int | None = None
    num_images: int | None = None
    reconstructions: int = 8
    micro_batch: int = 100
    seed: int = 0
    """the seed of the draws of timesteps and noise."""

    def __post_init__(self):
        if "test" not in self.splits or len(set(self.splits)) != len(self.splits):
            raise ValueError(f"splits must be [test] or [test, train], not [{', '.join(self.splits)}]")
        for name in ("timesteps", "num_images", "reconstructions", "micro_batch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be positive, not {value}")
        for name in ("reconstructions", "micro_batch"):
            if getattr(self, name) > LARGEST_BATCH:
                raise ValueError(f"{name} must be at most {LARGEST_BATCH}, not {getattr(self, name)}")
        if self.num_images == 1:
            raise ValueError("num_images must be at least 2: a standard error needs two")
        if self.timesteps == 1:
            raise ValueError("timesteps must be at least 2: the decoder's term is one, the rest of the chain another")


@dataclass(frozen=True)
class Run:
    """A block of the table: every model with every sampler at every number of steps and with every seed.

    models: names of entries of `models`, or of grids. samplers: names of entries of `samplers`. steps: numbers of
    steps; a sampler that chooses its own steps ignores them. num_images: the number of images of each sample set.
    train_seeds: the seeds of trainings; each trains its own weights. sample_seeds: the seeds of noise and labels.
    protocols: names of entries of `protocols`, under which each sample set is scored. guidance_scales: guided models
    are sampled at each of these scales instead of their own. in_table: whether the rows are in the tables. Those of a
    comparison are not, and their sample sets, if the table does not have them already, are in a separate tree.
    """

    models: tuple[str, ...]
    samplers: tuple[str, ...]
    steps: tuple[int, ...]
    num_images: int
    train_seeds: tuple[int, ...] = (0,)
    sample_seeds: tuple[int, ...] = (0,)
    protocols: tuple[str, ...] = ()
    guidance_scales: tuple[float, ...] = ()
    in_table: bool = True


@dataclass(frozen=True)
class Execution:
    """How and where jobs run. None of it changes a result, except the number of threads.

    threads: the number per process, which is fixed because results depend on it. device: auto takes CUDA if there is
    one. checkpoint_every: training steps between checkpoints. processes: into how many processes torchrun divides a
    training, and a sampling, an extraction or a bound that has enough micro-batches for them; each has its threads, or
    its CUDA device. micro_batch: the most images of a training step that a process computes at once; null for all of
    its share of the batch. sharded: whether the processes of a training also share the weights (FSDP), for networks
    that do not fit one device. activation_checkpointing: whether training keeps less of what layers compute, and
    computes it again on the way back, for networks that do not fit into memory otherwise.
    """

    threads: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    checkpoint_every: int = 500
    processes: int = 1
    micro_batch: int | None = None
    sharded: bool = False
    activation_checkpointing: bool = False

    def __post_init__(self):
        for name in ("threads", "checkpoint_every", "processes", "micro_batch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be positive, not {value}")
        if self.sharded and self.processes == 1:
            raise ValueError("sharded: true needs processes above 1, among which the weights are shared")


@dataclass(frozen=True)
class Guidance:
    """How sampling is pushed towards labels. part: the rule. classifier: the entry of the classifier that it uses."""

    name: str
    part: Any
    classifier: str | None = None

    @property
    def needs_classifier(self) -> bool:
        """Whether the rule uses a classifier's gradient."""
        return bool(type(self.part).needs_classifier)


@dataclass(frozen=True)
class Checkpoint:
    """Weights that are not trained here.

    path: as it was given. file: the same path, absolute. key: the entry of the file that holds the weights, if it holds
    more. facts: those in the record beside the file. If there is no record, facts is None, and the stage convert first
    makes an artifact of the weights.
    """

    path: str
    file: str
    key: str | None = None
    facts: WeightsFacts | None = None


@dataclass(frozen=True)
class NoisyClassifier:
    """A classifier's entry with its parts.

    diffusion: the process whose noise it was trained with. size and checkpoint: as a model's. training: None if there
    is a checkpoint whose record does not give it.
    """

    name: str
    network: Any
    network_name: str
    diffusion: Any
    training: Any
    weights: Weights
    size: int | None = None
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class SamplerEntry:
    """A sampler's entry: the part, its time grid, and the t that the network gets between the trained noise levels.

    grid: uniform, ddim, quadratic, karras or log_snr, with options after it, or sections ("10,15,20"). off_grid:
    refuse, nearest or interpolate. left_out: options in its configuration file that are not used, with the reasons.
    """

    name: str
    part: Any
    grid: str = "uniform"
    off_grid: OffGrid = "refuse"
    left_out: str = ""

    @property
    def adaptive(self) -> bool:
        """Whether the sampler chooses its own steps. Its rows then have 0 steps."""
        return self.part.adaptive

    @property
    def needs_error(self) -> bool:
        """Whether it needs the error of the predicted x_0, which the model's bound on training images measures."""
        return self.part.needs_error

    def spacing(self, steps: int) -> str:
        """Return the spacing of a chain of `steps`: "25" (uniform), "ddim25", "karras25 rho=5", or the sections.

        For an adaptive sampler it is "", the whole training chain: the sampler goes from one end of it to the other.
        """
        name, _, options = self.grid.partition(" ")
        if self.adaptive:
            return ""
        if not name.isidentifier():
            return self.grid
        return f"{'' if name == 'uniform' else name}{steps} {options}".strip()


@dataclass(frozen=True)
class Model:
    """A model's entry with its parts.

    weights: ema or raw. of: the model whose weights these are; its own name if it is trained itself. labels: how labels
    of samples are chosen; None if it takes none. size: the height of the images that it makes; None for the data set's.
    low_size: the height of the images that an upsampler starts from. low_res: where they and their labels come from.
    checkpoint: where the weights are, if they are not trained here; objective and training are then None if no record
    gives them.
    """

    name: str
    network: Any
    network_name: str
    diffusion: Any
    objective: Any
    objective_name: str
    training: Any
    weights: Weights
    of: str
    guidance: Guidance | None = None
    labels: LabelRule | None = None
    size: int | None = None
    low_size: int | None = None
    low_res: LowRes | None = None
    checkpoint: Checkpoint | None = None

    def scaled(self, scale: float) -> "Model":
        """Return the model guided at another scale. Its name, which is also a folder's, has the scale at its end.

        Raises: ValueError or TypeError if the guidance does not accept the scale.
        """
        assert self.guidance is not None
        part = dataclasses.replace(self.guidance.part, scale=scale)
        if scale == self.guidance.part.scale:
            return self
        name = f"{self.name}@{repr(float(scale)).removesuffix('.0')}"
        return dataclasses.replace(self, name=name, guidance=dataclasses.replace(self.guidance, part=part))
