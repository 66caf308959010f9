"""What the entries of a benchmark's file say, each as one dataclass: settings, runs, models and what goes with them."""

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

    splits: whose images are coded, test among them. timesteps: terms evaluated per image, in strata over the chain;
    null evaluates all. num_images: of each split, evenly spread over it; null takes all. reconstructions: test images
    whose progressive reconstructions are kept, to be shown. micro_batch: images the network sees at once.
    """

    splits: tuple[SplitName, ...] = ("test", "train")
    timesteps: int | None = None
    num_images: int | None = None
    reconstructions: int = 8
    micro_batch: int = 100
    seed: int = 0

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
    """A block of the table: every model with every sampler at every number of steps, seed by seed.

    guidance_scales: its guided models are sampled at each of these scales in the place of their own.
    in_table: whether its rows stand in the tables; those of a comparison do not, and their sample sets, where the table
    has none like them, lie apart.
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
    """How jobs are cut and where they run; nothing here changes what is computed, but for the thread count.

    threads: per job, fixed, since results depend on it. device: auto takes CUDA when there is one. checkpoint_every:
    training steps between checkpoints.
    """

    threads: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    checkpoint_every: int = 500

    def __post_init__(self):
        for name in ("threads", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")


@dataclass(frozen=True)
class Guidance:
    """How a model is pushed towards labels while it is sampled: a part, and the entry of the classifier it uses."""

    name: str
    part: Any
    classifier: str | None = None

    @property
    def needs_classifier(self) -> bool:
        """Whether it follows a classifier's gradient."""
        return bool(type(self.part).needs_classifier)


@dataclass(frozen=True)
class Checkpoint:
    """Weights that are not trained here.

    path: as it was given; file: the same, absolute. key: where they stand in a file that holds more. facts: of the
    data they were made for, where a record beside the file tells; without one, its weights become an artifact before
    they are used.
    """

    path: str
    file: str
    key: str | None = None
    facts: WeightsFacts | None = None


@dataclass(frozen=True)
class NoisyClassifier:
    """A classifier's entry, its parts built: network, the process whose noise it knows, training, which weights.

    size: as a model's. checkpoint: likewise; training is then None where no record tells.
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
    """A sampler's entry: the part, the time grid that it walks, and what stands for t between the trained levels.

    grid: uniform, ddim, quadratic, karras or log_snr, with options behind, or sections ("10,15,20"). off_grid: refuse,
    nearest or interpolate. left_out: what a file of its options says and is not taken over, and why.
    """

    name: str
    part: Any
    grid: str = "uniform"
    off_grid: OffGrid = "refuse"
    left_out: str = ""

    @property
    def adaptive(self) -> bool:
        """Whether it chooses its own steps: its rows have 0 for their number."""
        return self.part.adaptive

    @property
    def needs_error(self) -> bool:
        """Whether it needs the error of the predicted x_0, which the model's bound on training images measures."""
        return self.part.needs_error

    def spacing(self, steps: int) -> str:
        """Return the spacing of a chain of so many steps: "25" (uniform), "ddim25", "karras25 rho=5", or the sections.

        An adaptive sampler is given the whole training chain, whose ends it goes between.
        """
        name, _, options = self.grid.partition(" ")
        if self.adaptive:
            return ""
        if not name.isidentifier():
            return self.grid
        return f"{'' if name == 'uniform' else name}{steps} {options}".strip()


@dataclass(frozen=True)
class Model:
    """A model's entry, its parts built: network, diffusion, objective, training, and which weights are used.

    of: the model whose weights these are, its own name where it is trained itself. labels: how those of samples are
    chosen; None where it takes none. size: the height of the images that
    it makes, where that is not the data set's own. low_size: of those that an upsampler is given. low_res: where they
    come from while it is sampled, and their labels with them. checkpoint: where the weights are, if they are not
    trained here; objective and training are then None where no record tells.
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
        """Return the model guided at another scale; its name, a folder's, tells it apart from the entry's own.

        Raises: ValueError, TypeError where the guidance does not take it.
        """
        assert self.guidance is not None
        part = dataclasses.replace(self.guidance.part, scale=scale)
        if scale == self.guidance.part.scale:
            return self
        name = f"{self.name}@{repr(float(scale)).removesuffix('.0')}"
        return dataclasses.replace(self, name=name, guidance=dataclasses.replace(self.guidance, part=part))
