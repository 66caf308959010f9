"""Small inputs for figures, by what a figure consumes."""

import numpy as np
import pandas
import pytest

from diffbench.figures._neighbours import Nearest, Neighbours
from diffbench.figures._pictures import Pictures


@pytest.fixture
def table():
    """Return a table with two models, two samplers, three numbers of steps and the real row."""
    rows = [{"model": "real", "fid": 3.0, "fid_low": 2.5, "fid_high": 3.5, "num_images": 50, "protocol": "p"}]
    for model in ("ddpm", "iddpm"):
        for sampler in ("ancestral", "ddim"):
            for steps in (10, 25, 100):
                fid = 200 / steps + len(model)
                numbers = {
                    "steps": steps,
                    "nfe": steps,
                    "fid": fid,
                    "fid_low": 0.9 * fid,
                    "fid_high": 1.1 * fid,
                }
                keys = {"model": model, "sampler": sampler, "train_seed": 0, "sample_seed": 0}
                rows.append({**keys, **numbers, "num_images": 50, "protocol": "p"})
    return pandas.DataFrame(rows).assign(benchmark="digits", guidance_scale=np.nan)


@pytest.fixture
def images():
    """Return two sets of small images with classes."""
    rng = np.random.default_rng(0)
    labels = np.array([1, 0, 1, 1, 0])
    return {
        label: Pictures(rng.integers(0, 256, (5, 4, 4, 1), np.uint8), labels)
        for label in ("ddim, 10 steps", "ddim, 25 steps")
    }


@pytest.fixture
def curves():
    """Return reverse time, rate and distortion of two models."""
    rate = np.linspace(0, 2, 11)
    done = np.linspace(0.1, 1, 11)
    return {"ddpm": (done, rate, 80 * np.exp(-rate)), "iddpm": (done, rate / 2, 70 * np.exp(-rate))}


@pytest.fixture
def guided_table():
    """Return a table of two guided models at four scales, one of which lacks a score, and the real row."""
    rows = [{"model": "real", "fid": 3.0, "fid_low": 2.5, "fid_high": 3.5, "precision": 0.9, "protocol": "p"}]
    for model, gain in (("adm_g", 0.1), ("uncond_g", 0.05)):
        for scale in (0.0, 1.0, 4.0, 8.0):
            row = {"model": model, "sampler": "ancestral", "steps": 25, "guidance_scale": scale, "num_images": 50}
            for name, value in {"fid": 5 + scale, "precision": 0.6 + gain * scale / 4}.items():
                row |= {name: value, f"{name}_low": 0.95 * value, f"{name}_high": 1.05 * value}
            rows.append(row | {"train_seed": 0, "sample_seed": 0, "protocol": "p"})
    return pandas.DataFrame(rows).assign(benchmark="digits", recall=np.nan, recall_low=np.nan, recall_high=np.nan)


@pytest.fixture
def oracle():
    """Return the oracle's table of a stochastic first-order and a deterministic second-order sampler."""
    rows = []
    for schedule in ("log_snr", "cosine"):
        for sampler, variance, order in (("ancestral", "fixed_large", 1), ("heun", np.nan, 2)):
            for steps in (8, 16, 32):
                rows.append(
                    {
                        "data": "1/f^2",
                        "schedule": schedule,
                        "sampler": sampler,
                        "reverse_variance": variance,
                        "steps": steps,
                        "nfe": order * steps - order + 1,
                        "stochastic": order == 1,
                        "error": float(steps) ** -order,
                        "order": order,
                        "measured_order": order - 0.03 if schedule == "log_snr" else np.nan,
                    }
                )
    return pandas.DataFrame(rows)


@pytest.fixture
def progressive():
    """Return reconstructions of three images at four rates, in ascending t."""
    rng = np.random.default_rng(0)
    kept = {"originals": rng.integers(0, 256, (3, 4, 4, 3), np.uint8)}
    kept["reconstructions"] = rng.integers(0, 256, (3, 4, 4, 4, 3), np.uint8)
    return kept | {"rate": np.array([2.0, 0.5, 0.1, 2e-5]), "rmse": np.array([1.0, 10.0, 50.0, 99.0])}


@pytest.fixture
def logs():
    """Return the training logs of two models, one of which has a gap, and of a classifier."""
    steps = np.arange(10, 110, 10)
    found = {}
    for place, name in enumerate(("ddpm", "iddpm", "classifier noisy")):
        columns = {"step": steps, "loss": (place + 1) * 50 / steps, "gradient_norm": 20.0 / steps}
        found[name] = pandas.DataFrame(columns | {"gradient_noise": 100.0 + steps, "learning_rate": 1e-3})
    found["iddpm"].loc[3, "gradient_noise"] = np.nan
    for quarter in range(4):
        found["classifier noisy"][f"accuracy_q{quarter}"] = 0.9 - quarter / 5
        found["classifier noisy"][f"held_out_accuracy_q{quarter}"] = 0.85 - quarter / 5
    return found


@pytest.fixture
def validation():
    """Return the validation losses of two models, whose chains have other lengths, at nine timesteps."""
    from diffbench.diffusion.validation_loss import ValidationLosses

    found = {}
    for place, (name, length) in enumerate({"ddpm": 1000, "iddpm": 4000}.items()):
        step = np.arange(100, 1100, 100)
        mean = np.linspace(1, 0.05, 9) * (0.1 + (place + 1) / step[:, None] * 50)
        values = mean[:, None] * np.random.default_rng(place).gamma(9, 1 / 9, size=(10, 20, 9))
        alphas = np.linspace(0.99, 0.1 + place / 10, 9)
        timesteps = np.arange(9) * length // 9
        levels = alphas, np.sqrt(1 - alphas**2)
        found[name] = ValidationLosses(step, step * 64, step * 1e9, timesteps, *levels, values)
    return found


@pytest.fixture
def terms():
    """Return the terms of two models in four strata of 20 steps; the decoder's term of the first model is 0."""
    width = np.array([1, 1, 4, 14])
    timesteps = np.tile([0, 1, 3, 12], (6, 1))
    spread = np.linspace(0.8, 1.2, 6)[:, None]
    mean = np.array([0.0, 0.5, 0.05, 0.004])
    vlb = {"ddpm": spread * mean, "iddpm": spread * (mean + [1e-9, 0.1, 0.01, 0.001])}
    return {model: {"timesteps": timesteps, "vlb": own, "width": width} for model, own in vlb.items()}


@pytest.fixture
def schedules():
    """Return the curves of two schedules, each of its training chain and of one of five steps."""
    found = {}
    for name, power in (("linear", 2), ("cosine", 1)):
        found[name] = {}
        for count in (5, 50):
            t = np.linspace(1 / 50, 1, count)
            found[name][count] = {"t": t, "alpha_bar": 1 - t**power, "ratio": 1 - t[0] / t}
    return found


@pytest.fixture
def differences():
    """Return a table of differences with every verdict, of two metrics, and a row without a score."""
    rows = []
    for compared, model, sampler in (
        ("sampler", "ddpm", "ddim"),
        ("sampler", "iddpm", "ddim"),
        ("model", "iddpm", "ddim"),
    ):
        for metric in ("kid", "fid"):
            for steps, middle in ((10, -8.0), (25, 0.1), (50, 3.0)):
                outcome = {-8.0: "better", 0.1: "not resolved", 3.0: "worse"}[middle]
                numbers = {"difference": middle, "difference_low": middle - 1, "difference_high": middle + 1}
                keys = {"compared": compared, "metric": metric, "model": model, "sampler": sampler, "steps": steps}
                rows.append(keys | numbers | {"outcome": outcome, "interval": "paired image by image"})
    rows[-1] |= {"difference": np.nan, "difference_low": np.nan, "difference_high": np.nan, "outcome": "no score"}
    own = {"baseline_model": "ddpm", "baseline_sampler": "ancestral", "benchmark": "digits", "num_images": 50}
    own |= {
        "guidance_scale": np.nan,
        "baseline_guidance_scale": np.nan,
        "protocol": "digits;n=50",
        "covers": "sampling",
    }
    return pandas.DataFrame(rows).assign(**own)


@pytest.fixture
def generation():
    """Return three samples of a model without classes at four of ten steps."""
    rng = np.random.default_rng(0)
    x_0, x_t = rng.integers(0, 256, (2, 3, 4, 4, 4, 3), np.uint8)
    level = {"step": np.array([0, 3, 6, 9]), "sigma": np.array([1.0, 0.9, 0.5, 0.01]), "num_steps": np.array(10)}
    return level | {"x_0": x_0, "x_t": x_t, "samples": x_0[:, -1], "index": np.arange(3)}


@pytest.fixture
def interpolation():
    """Return two rows of five images between pairs of one class."""
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 4, 1), np.uint8)
    pairs = {"index": np.array([[4, 9], [0, 2]]), "labels": np.array([0, 1])}
    return pairs | {"images": images, "num_steps": np.array(25)}


@pytest.fixture
def neighbours():
    """Return four samples with their two nearest training images by two measures."""
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 4, 4, 1), np.uint8)
    distances = np.array([[0.0, 2.0], [1.0, 2.5], [3.0, 3.5], [0.25, 4.0]])
    by = [Nearest(name, f"distances of {name}", images[:, 1:], distances, 2.5) for name in ("features", "pixels")]
    return Neighbours(images[:, 0], np.array([0, 1, 1, 7]), by, searched=50, of=50)


@pytest.fixture
def published():
    """Return a table beside published numbers with every verdict, of two metrics, one of them over a wide range."""
    rows = []
    for metric, model, value, theirs, verdict in (
        ("fid", "ddpm", 3.2, 3.17, "agrees"),
        ("fid", "iddpm", 3.6, 3.19, "higher"),
        ("fid", "iddpm_vlb", 11.0, 11.47, "lower"),
        ("nll_bits_per_dim", "ddpm", 3.74, 3.75, "agrees"),
        ("fid", "ddpm", np.nan, 3.17, "no score"),
        ("fid", "ddpm", 9.0, 3.17, "not comparable: steps (100 against 1000)"),
    ):
        ends = {"": 0.0, "_low": -0.1, "_high": 0.1}
        row = {f"value{end}": value + step for end, step in ends.items()}
        row |= {f"difference{end}": value - theirs + step for end, step in ends.items()}
        sampler = {"sampler": "ancestral", "steps": 1000.0} if metric == "fid" else {"sampler": np.nan, "steps": np.nan}
        rows.append(row | sampler | {"metric": metric, "model": model, "published": theirs, "verdict": verdict})
    own = {"benchmark": "cifar10", "guidance_scale": np.nan, "reference": "train", "covers": "sampling"}
    return pandas.DataFrame(rows).assign(**own, paper="DDPM", table="Table 1")
