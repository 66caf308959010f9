"""Does this code compute what the published code computes? Compares it with recorded outputs of the latter.

A file holds either a small network (weights, inputs and output) or one diffusion process evaluated with a formula in
the network's place.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffbench.base.arrays import member_names, read_member
from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.diffusion.batch import NoisedBatch, Objective
from diffbench.diffusion.denoiser import (
    ClippedDenoiser,
    Condition,
    Denoiser,
    ModelDenoiser,
    reverse_log_variance,
    reverse_mean,
)
from diffbench.diffusion.likelihood import per_image, prior_term, vlb_term
from diffbench.diffusion.parameterization import PARAMETERIZATIONS, Prediction, X
from diffbench.diffusion.process import Chain, Level, noised
from diffbench.diffusion.schedules import SCHEDULES, betas, respaced
from diffbench.guidance.classifier import Classifier
from diffbench.networks.noisy_classifier import NoisyClassifier
from diffbench.networks.super_resolution import SuperResolution
from diffbench.networks.unet import Unet
from diffbench.objectives.hybrid import Hybrid
from diffbench.objectives.simple import Simple
from diffbench.objectives.vlb import Vlb
from diffbench.samplers.ancestral import Ancestral
from diffbench.samplers.ddim import Ddim, towards

NETWORK_TOLERANCE = 1e-4
MATHEMATICS_TOLERANCE = 5e-5
NOISY_TOLERANCE = 2e-3
NOISY = 1000.0
"""Above this 1 / sqrt(alpha_bar), the reference's own float32 rounding shows, and NOISY_TOLERANCE holds."""

PARAMETERIZATION_NAMES = {"epsilon": "eps", "x_start": "x_0", "x_prev": "mu"}
VARIANCE_NAMES = {"learned": "learned_diagonal"}
VARIANCES = ("fixed_small", "fixed_large", "learned", "learned_range")
POOLS = ("attention", "adaptive", "spatial")
TABLES = frozenset({"timestep_map", "betas", "alphas_cumprod", "posterior_variance"})
"""Arrays of the chain itself, one entry per timestep; all others have a row per recorded image."""

MULTIPLIERS = {512: "0.5,1,1,2,2,4,4", 256: "1,1,2,2,4,4", 128: "1,1,2,3,4", 64: "1,2,3,4"}
"""The published code's multipliers for an empty channel_mult, by image size."""

UPSAMPLER_MULTIPLIERS = MULTIPLIERS | {512: MULTIPLIERS[256]}

INPUTS = frozenset({"x_start", "noise", "step_noise", "t", "bpd_loop_noise"})
"""Arrays that the recorded process was given, and has nothing to say about."""


@dataclass(frozen=True)
class Comparison:
    """An array against the reference's: largest absolute error, the same over the array's largest value, verdict."""

    array: str
    absolute: float
    relative: float
    passed: bool

    def __str__(self) -> str:
        return f"{self.array} abs {self.absolute:.1e} rel {self.relative:.1e}{'' if self.passed else ' EXCEEDS'}"


def compare(name: str, ours: np.ndarray | Tensor, reference: np.ndarray, tolerance: float | np.ndarray) -> Comparison:
    """Return the comparison of an array; tolerance: relative to its largest value, broadcast over its entries."""
    ours = ours.detach().numpy() if isinstance(ours, Tensor) else np.asarray(ours)
    if ours.shape != reference.shape:
        raise UserError(f"array {name} has shape {reference.shape}, ours has {ours.shape}")
    # In chains of a few steps the record has entries that its float32 could not compute; there is nothing to compare.
    known = ~np.isnan(reference)
    error = np.where(known, np.abs(ours.astype(np.float64) - reference.astype(np.float64)), 0.0)
    scale = float(np.abs(reference[known]).max(initial=0.0)) or 1.0
    # A NaN compares false, and so fails.
    passed = bool((error <= tolerance * scale).all())
    return Comparison(name, float(error.max()), float(error.max()) / scale, passed)


def conform(path: Path) -> list[Comparison]:
    """Return the comparison of every array in a file. Raises: UserError where it is not a file of the format."""
    if path.suffix == ".json":
        return conform_respacing(path)
    if "config" not in member_names(path):
        raise UserError(f"{path}: not a reference file, it has no array 'config'")
    try:
        config = json.loads(str(read_member(path, "config")[()]))
        if "kind" in config:
            return conform_network(path, config)
        return list(conform_mathematics(path, config))
    except UserError:
        raise
    except KeyError as error:
        raise UserError(f"{path}: the reference file lacks {error}") from None
    except (ValueError, TypeError, IndexError, AttributeError, ZeroDivisionError, RuntimeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{path}: not a file of the format ({reason})") from None


def reference_files(paths: list[Path]) -> list[Path]:
    """Return the files to compare: those given, and the .npz and .json files of folders given."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted([*path.glob("*.npz"), *path.glob("*.json")])
            if not inside:
                raise UserError(f"{path}: no .npz or .json file in this folder")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise UserError(f"{path}: no such file or folder")
    return found


def conform_respacing(path: Path) -> list[Comparison]:
    """Return the comparison of kept timesteps: a JSON map from "T|spacing" to a list."""
    results = []
    try:
        content = dict(json.loads(path.read_text()))
        recorded = [(key, *key.split("|"), kept) for key, kept in content.items()]
        named = [(key, int(timesteps), spacing, kept) for key, timesteps, spacing, kept in recorded]
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: not a map of 'T|spacing' to the timesteps kept ({error})") from None
    for key, timesteps, spacing, kept in named:
        results.append(compare(key, np.array(respaced(timesteps, spacing)), np.array(kept), 0.0))
    return results


def conform_network(path: Path, config: dict) -> list[Comparison]:
    """Return the comparison of a network's output (and gradient) on recorded weights and inputs."""
    arrays = {name: np.asarray(read_member(path, name)) for name in member_names(path)}
    weights = {
        name.removeprefix("weight:"): torch.from_numpy(array.astype(np.float32))
        for name, array in arrays.items()
        if name.startswith("weight:")
    }
    inputs = {
        name.removeprefix("input:"): torch.from_numpy(array.copy()) for name, array in arrays.items() if ":" in name
    }
    network = published_network(config, tuple(inputs["x"].shape[1:]))
    load_strictly(network, weights, path)
    network.eval()
    x, t = inputs["x"], inputs["timesteps"].float()
    if config["kind"] != "classifier":
        with torch.no_grad():
            output = network(x, t, inputs.get("y"), inputs.get("low_res"))
        return [compare("output", output, arrays["output"], NETWORK_TOLERANCE)]
    x.requires_grad_()
    logits = network(x, t)
    results = [compare("output", logits, arrays["output"], NETWORK_TOLERANCE)]
    for name, reference in arrays.items():
        if name.startswith("log_prob_gradient_for_y_"):
            labels = [int(label) for label in re.findall(r"\d+", name)]
            total = logits.log_softmax(-1)[range(len(labels)), labels].sum()
            (gradient,) = torch.autograd.grad(total, x, retain_graph=True)
            results.append(compare(name, gradient, reference, NETWORK_TOLERANCE))
    return results


def published_network(config: dict, shape: tuple[int, int, int]) -> torch.nn.Module:
    """Return the network that the published flags describe, for x of `shape`."""
    flags, num_classes = config["flags"], config.get("num_classes")
    published = UPSAMPLER_MULTIPLIERS if config["kind"] == "superres" else MULTIPLIERS
    multipliers = str(flags.get("channel_mult") or published.get(flags["image_size"], ""))
    head_channels = flags.get("num_head_channels", -1)
    # The published flags divide the image's size by each, rounding down; a factor that does not occur has no effect.
    size, levels = shape[1], len(multipliers.split(","))
    factors = {size // int(part) for part in str(flags["attention_resolutions"]).split(",") if part}
    sizes = [size // factor for factor in sorted(factors & {2**i for i in range(levels)})]
    settings = {
        "channels": flags["num_channels"],
        "channel_multipliers": tuple(float(part) for part in multipliers.split(",")),
        "residual_blocks": flags["num_res_blocks"],
        "attention_resolutions": tuple(sizes),
        "heads": flags.get("num_heads", 1),
        "head_channels": None if head_channels == -1 else head_channels,
        "scale_shift": flags.get("use_scale_shift_norm", True),
        "residual_resampling": flags.get("resblock_updown", False),
        "new_attention_order": flags.get("use_new_attention_order", False),
        "class_conditional": flags.get("class_cond", False),
    }
    if config["kind"] == "classifier":
        check_known({"pool": "attention", **flags}, "pool", POOLS)
        return NoisyClassifier(Unet(**settings), flags.get("pool", "attention")).build(shape, num_classes)
    kinds = {"unet": Unet, "superres": SuperResolution}
    if config["kind"] not in kinds:
        raise UserError(f"kind '{config['kind']}' is not known; allowed: classifier, superres, unet")
    return kinds[config["kind"]](**settings).build(shape, num_classes, flags.get("learn_sigma", False))


def load_strictly(network: torch.nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Load a state dict; a difference in names or shapes is one line that names the first tensor that differs."""
    own = network.state_dict()
    for name in sorted(own.keys() | weights.keys()):
        if name not in weights:
            raise UserError(f"{path}: no weight '{name}', which the network described by its flags has")
        if name not in own:
            raise UserError(f"{path}: weight '{name}' has no place in the network described by its flags")
        if own[name].shape != weights[name].shape:
            sizes = f"{tuple(weights[name].shape)} in the file, {tuple(own[name].shape)} in the network"
            raise UserError(f"{path}: weight '{name}' is {sizes}")
    network.load_state_dict(weights)


def check_known(config: dict, key: str, allowed: Iterable[str]) -> None:
    """Raise UserError where a value of the record's configuration is none that we know."""
    if config[key] not in allowed:
        raise UserError(f"{key} '{config[key]}' is not known; {nearest(config[key], allowed)}")


class Formulas:
    """The recorded process with the reference's formulas in the network's place.

    Evaluated in float32, as the record was and as sampling is: the smallest terms of the bound are differences of
    numbers near 1, and float64 would show the reference's rounding instead of ours.
    """

    def __init__(self, config: dict):
        check_known(config, "schedule", SCHEDULES)
        check_known(config, "mean", PARAMETERIZATION_NAMES)
        check_known(config, "variance", VARIANCES)
        timesteps, spacing = config["steps"], str(config.get("respacing") or "")
        kept = respaced(timesteps, spacing)
        self.timestep_map = np.array(kept)
        alpha_bars = np.cumprod(1 - betas(config["schedule"], timesteps))[kept]
        self.chain = Chain.from_alpha_bars(alpha_bars)
        # The published DDIM step reads alpha_bar in float32 before it forms 1 - alpha_bar, which costs up to 1e-3 of
        # the latter where alpha_bar is near 1. On a chain of that rounding the step itself can be compared.
        self.ddim_chain = Chain.from_alpha_bars(alpha_bars.astype(np.float32).astype(np.float64))
        scale = 1000.0 / timesteps if config.get("rescale_timesteps") else 1.0
        network_t = torch.tensor(kept[::-1], dtype=torch.float32) * scale
        variance = VARIANCE_NAMES.get(config["variance"], config["variance"])
        # The published code treats a shortened chain as a chain of its own; so its levels are the training chain here.
        self.model = ModelDenoiser(
            self._network, self.chain, network_t, PARAMETERIZATION_NAMES[config["mean"]], variance
        )
        self.learned = variance.startswith("learned")

    def _network(self, x: X, t: Tensor, y: Tensor | None, low_res: X | None) -> Tensor:
        t = t.reshape(-1, 1, 1, 1)
        mean = 0.3 * x + 0.1 * (0.05 * t).sin()
        if not self.learned:
            return mean
        return torch.cat([mean, (0.5 * x - 0.01 * t + 1).tanh()], dim=1)

    def gradient(self, x: X, level: Level, condition: Condition | None) -> X:
        """Return the recorded guidance gradient."""
        i, _ = self.model.index_of(level)
        return -0.2 * x + 0.01 * (0.1 * self.model.network_t[i].reshape(-1, 1, 1, 1)).cos()


def conform_mathematics(path: Path, config: dict) -> Iterator[Comparison]:
    """Yield the comparison of every array of a recorded process."""
    reference = {name: np.asarray(read_member(path, name)) for name in member_names(path) if name != "config"}
    formulas = Formulas(config)
    chain = formulas.chain
    noisy = (1 / chain.alphas[:-1]).numpy() > NOISY
    t = torch.from_numpy(reference["t"].copy())
    i = len(chain) - 1 - t
    ours: dict[str, Tensor | np.ndarray] = {
        "timestep_map": formulas.timestep_map,
        "betas": chain.beta.flip(0),
        "alphas_cumprod": (chain.alphas[:-1] ** 2).flip(0),
        "posterior_variance": chain.beta_tilde.flip(0),
    }
    ours |= at_steps(formulas, config, i, {name: torch.from_numpy(array.copy()) for name, array in reference.items()})
    by_image = np.where(noisy[i.numpy()], NOISY_TOLERANCE, MATHEMATICS_TOLERANCE)
    by_column = np.where(noisy, NOISY_TOLERANCE, MATHEMATICS_TOLERANCE)
    for name in reference:
        if name in INPUTS:
            continue
        if name not in ours:
            raise UserError(f"{path}: array '{name}' is not known; allowed: {', '.join(sorted({*ours, *INPUTS}))}")
        tolerance: float | np.ndarray = by_image.reshape(-1, *[1] * (reference[name].ndim - 1))
        if name in TABLES:
            tolerance = MATHEMATICS_TOLERANCE
        elif name == "bpd_loop_total":
            tolerance = by_column.max()
        elif name.startswith("bpd_loop"):
            tolerance = by_column
        yield compare(name, ours[name], reference[name], tolerance)


@dataclass(frozen=True)
class _Said:
    """A denoiser that repeats a prediction made before."""

    prediction: Prediction

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> Prediction:
        return self.prediction


@dataclass(frozen=True)
class _Repeated:
    """Noise that is the same at every draw, as the record's is."""

    noise: X

    def __call__(self, i: int) -> X:
        return self.noise


def at_steps(formulas: Formulas, config: dict, i: Tensor, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return our values of the arrays that belong to the recorded images, each at its own step i of the chain."""
    chain, model = formulas.chain, formulas.model
    clipped = ClippedDenoiser(model)
    x_0, eps, draw = given["x_start"], given["noise"], given["step_noise"]
    x_t = given["x_t"]
    free, prediction = model(x_t, chain.level(i)), clipped(x_t, chain.level(i))
    guidance = Classifier(scale=1.0)
    for_ancestral = guidance(clipped, formulas.gradient, applies_gradient=True)
    for_ddim = guidance(clipped, formulas.gradient, applies_gradient=False)

    def stepped(sampler: Ancestral | Ddim, denoiser: Denoiser, over_chain: Chain) -> Tensor:
        rows = []
        for row, step in enumerate(i.tolist()):
            x, noise = x_t[row : row + 1], draw[row : row + 1]
            said = denoiser(x, chain.level(step))
            rows.append(sampler.step(_Said(said), over_chain, step, x, _Repeated(noise)).x)
        return torch.cat(rows)

    # The encoder's step goes one level up; above the noisiest level stands pure noise.
    rounded = formulas.ddim_chain
    above = Level(torch.where(i > 0, rounded.alphas[i - 1], 0.0), torch.where(i > 0, rounded.sigmas[i - 1], 1.0))
    batch = NoisedBatch(chain, i, x_0, x_t, eps, free, PARAMETERIZATIONS[model.parameterization], levels=256)
    ours = {
        "x_t": noised(x_0, chain.level(i), eps),
        "p_mean": reverse_mean(chain, i, x_t, prediction),
        "p_log_variance": reverse_log_variance(chain, i, prediction).expand_as(x_t),
        "p_pred_xstart": prediction.x_0,
        "p_mean_unclipped": reverse_mean(chain, i, x_t, free),
        "p_sample": stepped(Ancestral(), clipped, chain),
        "p_sample_guided": stepped(Ancestral(), for_ancestral, chain),
        "ddim_sample_eta0": stepped(Ddim(eta=0.0), clipped, formulas.ddim_chain),
        "ddim_sample_eta1": stepped(Ddim(eta=1.0), clipped, formulas.ddim_chain),
        "ddim_sample_guided": stepped(Ddim(eta=0.0), for_ddim, formulas.ddim_chain),
        "ddim_reverse_sample": towards(prediction, above),
        "vb_terms_bpd": vlb_term(chain, i, x_0, x_t, prediction),
        "prior_bpd": prior_term(chain, x_0),
        "training_loss": published_loss(config["loss"], formulas.learned, len(chain))(batch),
    }
    if config["loss"] == "kl":
        ours["training_loss"] = ours["training_loss"] / len(chain)
    return ours | bound_loop(chain, clipped, x_0, given.get("bpd_loop_noise"))


def published_loss(name: str, learned: bool, length: int) -> Objective:
    """Return our objective for a published loss; "kl" is one term, ours its T-fold."""
    if name in ("kl", "rescaled_kl"):
        return Vlb()
    if name not in ("mse", "rescaled_mse"):
        raise UserError(f"loss '{name}' is not known; allowed: kl, mse, rescaled_kl, rescaled_mse")
    if not learned:
        return Simple()
    return Hybrid(vlb_weight=0.001 if name == "rescaled_mse" else 1 / length)


def bound_loop(chain: Chain, denoiser: ClippedDenoiser, x_0: X, draws: Tensor | None) -> dict[str, Tensor]:
    """Return the bound over the whole chain, noisiest step first, with recorded noise."""
    if draws is None:
        return {}
    terms, errors = [], []
    for step in range(len(chain)):
        i = torch.full((len(x_0),), step)
        x_t = noised(x_0, chain.level(i), draws[step])
        prediction = denoiser(x_t, chain.level(i))
        terms.append(vlb_term(chain, i, x_0, x_t, prediction))
        errors.append(per_image((prediction.x_0 - x_0) ** 2))
    bound = torch.stack(terms, dim=1)
    return {
        "bpd_loop_vb": bound,
        "bpd_loop_xstart_mse": torch.stack(errors, dim=1),
        "bpd_loop_total": bound.sum(dim=1) + prior_term(chain, x_0),
    }
