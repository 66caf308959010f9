"""The comparison of a diffusion process with the published code's record of it. Formulas replace the network."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor

from diffbench.base.arrays import member_names, read_member
from diffbench.base.errors import UserError
from diffbench.commands.conform.closeness import Comparison, check_known, compare
from diffbench.diffusion.batch import Objective, PredictedBatch
from diffbench.diffusion.denoiser import (
    ClippedDenoiser,
    Condition,
    Denoiser,
    ModelDenoiser,
    Variance,
    reverse_log_variance,
    reverse_mean,
)
from diffbench.diffusion.likelihood import per_image, prior_term, vlb_term
from diffbench.diffusion.parameterization import PARAMETERIZATIONS, Prediction, X
from diffbench.diffusion.process import Chain, Level, noised
from diffbench.diffusion.schedules import SCHEDULES, betas
from diffbench.diffusion.spacings import respaced
from diffbench.guidance.classifier import Classifier
from diffbench.objectives.hybrid import Hybrid
from diffbench.objectives.simple import Simple
from diffbench.objectives.vlb import Vlb
from diffbench.samplers._steps import towards
from diffbench.samplers.ancestral import Ancestral
from diffbench.samplers.ddim import Ddim

MATHEMATICS_TOLERANCE = 5e-5
NOISY_TOLERANCE = 2e-3
NOISY = 1000.0
"""Above this 1 / sqrt(alpha_bar), the reference's own float32 rounding shows, so NOISY_TOLERANCE is used."""

PARAMETERIZATION_NAMES: dict[str, Literal["eps", "x_0", "mu"]] = {"epsilon": "eps", "x_start": "x_0", "x_prev": "mu"}
VARIANCE_NAMES = {"learned": "learned_diagonal"}
VARIANCES = ("fixed_small", "fixed_large", "learned", "learned_range")
TABLES = frozenset({"timestep_map", "betas", "alphas_cumprod", "posterior_variance"})
"""Arrays of the chain itself, with one entry per timestep. All others have a row per recorded image."""

INPUTS = frozenset({"x_start", "noise", "step_noise", "t", "bpd_loop_noise"})
"""Arrays that were the input of the recorded process, so that they are not compared."""


class Formulas:
    """The recorded process with the reference's formulas instead of a network.

    It is evaluated in float32, like the record and like sampling. The smallest terms of the bound are differences of
    numbers near 1, so float64 would show the reference's rounding as an error of ours.
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
        # The published DDIM step rounds alpha_bar to float32 before it computes 1 - alpha_bar, which changes the latter
        # by up to 1e-3 if alpha_bar is near 1. On a chain that is rounded in the same way, the step can be compared.
        self.ddim_chain = Chain.from_alpha_bars(alpha_bars.astype(np.float32).astype(np.float64))
        scale = 1000.0 / timesteps if config.get("rescale_timesteps") else 1.0
        network_t = torch.tensor(kept[::-1], dtype=torch.float32) * scale
        variance = cast(Variance, VARIANCE_NAMES.get(config["variance"], config["variance"]))
        # The published code treats a shortened chain as a separate chain, so here its levels are the training chain.
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
        _, t, _ = self.model.levels.at(level)
        return -0.2 * x + 0.01 * (0.1 * t.reshape(-1, 1, 1, 1)).cos()


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
        # The reference's L_T, near 1e-5, is a sum of float32 numbers near 1. `normal_kl` here has no such rounding.
        rounding = float(np.finfo(np.float32).eps) if name == "prior_bpd" else 0.0
        yield compare(name, ours[name], reference[name], tolerance, rounding)


@dataclass(frozen=True)
class _Said:
    """A denoiser that always returns a prediction that was made before."""

    prediction: Prediction

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> Prediction:
        return self.prediction


@dataclass(frozen=True)
class _Repeated:
    """Noise that is the same in every draw, like the record's."""

    noise: X

    def __call__(self, i: int) -> X:
        return self.noise


def at_steps(formulas: Formulas, config: dict, i: Tensor, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return our values of the arrays with a row per recorded image. i: each image's step of the chain."""
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

    # The encoder's step goes to the next noisier level, which for the noisiest level is pure noise.
    rounded = formulas.ddim_chain
    above = Level(torch.where(i > 0, rounded.alphas[i - 1], 0.0), torch.where(i > 0, rounded.sigmas[i - 1], 1.0))
    form = PARAMETERIZATIONS[model.parameterization]
    batch = PredictedBatch(chain, i, x_0, x_t, eps, prediction=free, form=form, levels=256)
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
    """Return our objective for a published loss. The published "kl" is one term of T; ours is T times as large."""
    if name in ("kl", "rescaled_kl"):
        return Vlb()
    if name not in ("mse", "rescaled_mse"):
        raise UserError(f"loss '{name}' is not known; allowed: kl, mse, rescaled_kl, rescaled_mse")
    if not learned:
        return Simple()
    return Hybrid(vlb_weight=0.001 if name == "rescaled_mse" else 1 / length)


def bound_loop(chain: Chain, denoiser: ClippedDenoiser, x_0: X, draws: Tensor | None) -> dict[str, Tensor]:
    """Return the terms of the bound over the whole chain with recorded noise, the noisiest step first."""
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
