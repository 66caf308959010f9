"""What every metric on features must keep, for each file in the folder."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest

from diffbench.base import plugins
from diffbench.base.errors import UserError

NAMES = [name for name in plugins.names("metrics") if plugins.load("metrics", name).consumes == "features"]


def features(seed: int, n: int, shift: float = 0.0) -> dict[str, np.ndarray]:
    draws = np.random.default_rng(seed)
    pool = draws.standard_normal((n, 6)) + shift
    arrays = {"pool": pool, "spatial": pool, "dinov2": pool, "logits": 3 * draws.standard_normal((n, 5))}
    return {key: values.astype(np.float32) for key, values in arrays.items()} | {"labels": draws.integers(0, 5, n)}


OPTIONS = {"ct": {"min_generated": 3}, "mind": {"projections": 100}}
"""Settings for sets as small as these, or for speed."""


def metric(name: str):
    """Return a metric of two sets. One that needs a third is given the same held-out images every time."""
    part = plugins.configure(plugins.load("metrics", name), OPTIONS.get(name, {}), name)
    return _WithHeldOut(part) if part.needs_held_out else part


class _WithHeldOut:
    def __init__(self, part):
        self.part, self.features = part, part.features

    def __call__(self, generated, reference):
        return self.part(generated, reference, features(3, 70))


@pytest.mark.parametrize("name", NAMES)
def test_is_a_frozen_dataclass_that_says_what_it_is(name):
    part = plugins.load("metrics", name)
    assert dataclasses.is_dataclass(part) and part.__dataclass_params__.frozen
    assert isinstance(part.label, str) and isinstance(part.higher_is_better, bool)
    assert part.ideal is None or isinstance(part.ideal, float)


@pytest.mark.parametrize("name", NAMES)
def test_returns_a_finite_value_within_its_interval_and_the_same_twice(name):
    generated, reference = features(1, 60, 0.3), features(2, 80)
    estimate = metric(name)(generated, reference)
    assert math.isfinite(estimate.value) and estimate.low <= estimate.value <= estimate.high
    assert estimate.low < estimate.high and estimate.covers == "sampling"
    assert metric(name)(generated, reference) == estimate


@pytest.mark.parametrize("name", NAMES)
def test_does_not_depend_on_the_order_of_images(name):
    generated, reference = features(1, 60, 0.3), features(2, 80)
    backwards = {key: value[::-1] for key, value in generated.items()}
    one, other = metric(name)(generated, reference), metric(name)(backwards, reference)
    assert dataclasses.astuple(one)[:3] == pytest.approx(dataclasses.astuple(other)[:3], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_interval_shrinks_with_the_number_of_images(name):
    few, many = (metric(name)(features(1, n, 0.3), features(2, 80)) for n in (40, 640))
    assert many.high - many.low < 0.7 * (few.high - few.low)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_names_the_side_and_the_image(name, bad):
    generated = features(1, 20)
    for array in generated.values():
        if array.ndim == 2:
            array[7, 2] = bad
    with pytest.raises(UserError, match=r"^generated features '.*': NaN or infinity in 1 of 20 .* image 7;[^\n]*$"):
        metric(name)(generated, features(2, 20))


@pytest.mark.parametrize("name", NAMES)
def test_one_image_is_too_few(name):
    with pytest.raises(UserError, match=r"^generated features '.*': 1 images, but \d are needed"):
        metric(name)(features(1, 1), features(2, 20))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_array_names_what_there_is(name):
    with pytest.raises(UserError, match="no array '(pool|logits|spatial|dinov2)', only other"):
        metric(name)({"other": np.zeros((9, 2))}, features(2, 20))


COMPARING = [name for name in NAMES if name not in ("inception_score", "classified", "classification_accuracy")]
"""Those to which the reference is not the same as nothing."""


@pytest.mark.parametrize("name", COMPARING)
def test_other_dimensions_and_bad_references_are_refused(name):
    generated, part = features(1, 20), metric(name)
    key = part.features
    with pytest.raises(UserError, match="generated has 6 dimensions, reference 4"):
        part(generated, {key: features(2, 20)[key][:, :4]})
    with pytest.raises(UserError, match=f"^reference features '{key}': NaN"):
        part(generated, {key: np.full((20, 6), np.nan)})
    with pytest.raises(UserError, match=r"wanted numbers of shape \(images, features\)"):
        part({key: np.zeros((20, 6, 1))}, generated)
    with pytest.raises(UserError, match=f"^reference features '{key}': 1 images, but"):
        part(features(1, 60), {key: np.zeros((1, 6))})


def test_scoring_does_not_import_torch():
    program = "import sys\n" + "".join(f"import diffbench.metrics.{name}\n" for name in plugins.names("metrics"))
    program += "sys.exit('torch' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
