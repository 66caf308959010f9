"""Small inputs for figures, by what a figure consumes."""

import numpy as np
import pandas
import pytest


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
    """Return two sets of small images."""
    rng = np.random.default_rng(0)
    return {label: rng.integers(0, 256, (5, 4, 4, 1), np.uint8) for label in ("ddim, 10 steps", "ddim, 25 steps")}


@pytest.fixture
def curves():
    """Return reverse time, rate and distortion of two models."""
    rate = np.linspace(0, 2, 11)
    done = np.linspace(0.1, 1, 11)
    return {"ddpm": (done, rate, 80 * np.exp(-rate)), "iddpm": (done, rate / 2, 70 * np.exp(-rate))}


@pytest.fixture
def progressive():
    """Return reconstructions of three images at four rates, in ascending t."""
    rng = np.random.default_rng(0)
    kept = {"originals": rng.integers(0, 256, (3, 4, 4, 3), np.uint8)}
    kept["reconstructions"] = rng.integers(0, 256, (3, 4, 4, 4, 3), np.uint8)
    return kept | {"rate": np.array([2.0, 0.5, 0.1, 2e-5]), "rmse": np.array([1.0, 10.0, 50.0, 99.0])}
