"""What every metric must keep, for each file in the folder: the checks of `diffbench contract`, and exact messages."""

import subprocess
import sys

import numpy as np
import pytest

from diffbench.base import plugins
from diffbench.base.errors import UserError
from diffbench.commands.contract import metric as contract
from diffbench.commands.contract.check import NotJudgedError

NAMES = [name for name in plugins.names("metrics") if plugins.load("metrics", name).consumes == "features"]


def features(seed: int, n: int, shift: float = 0.0) -> dict[str, np.ndarray]:
    draws = np.random.default_rng(seed)
    pool = draws.standard_normal((n, 6)) + shift
    arrays = {"pool": pool, "spatial": pool, "dinov2": pool, "logits": 3 * draws.standard_normal((n, 5))}
    return {key: values.astype(np.float32) for key, values in arrays.items()} | {"labels": draws.integers(0, 5, n)}


OPTIONS = {"ct": {"min_generated": 3}, "mind": {"projections": 100}}
"""Settings for sets as small as these, or for speed."""


def metric(name: str):
    return plugins.configure(plugins.load("metrics", name), OPTIONS.get(name, {}), name)


def scored(name: str, generated, reference):
    """Return the number of a metric; one that needs a third set gets the same held-out images every time."""
    part = metric(name)
    return part(generated, reference, *([features(3, 70)] if part.needs_held_out else []))


KEPT = [(check, name) for name in plugins.names("metrics") for check in contract.checks(metric(name))]


@pytest.mark.parametrize(("check", "name"), KEPT, ids=lambda item: getattr(item, "__name__", item))
def test_keeps_the_contract(check, name):
    try:
        check(metric(name))
    except NotJudgedError as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_names_the_side_and_the_image(name, bad):
    generated = features(1, 20)
    for array in generated.values():
        if array.ndim == 2:
            array[7, 2] = bad
    with pytest.raises(UserError, match=r"^generated features '.*': NaN or infinity in 1 of 20 .* image 7;[^\n]*$"):
        scored(name, generated, features(2, 20))


@pytest.mark.parametrize("name", NAMES)
def test_one_image_is_too_few(name):
    with pytest.raises(UserError, match=r"^generated features '.*': 1 images, but \d are needed"):
        scored(name, features(1, 1), features(2, 20))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_array_names_what_there_is(name):
    with pytest.raises(UserError, match="no array '(pool|logits|spatial|dinov2)', only other"):
        scored(name, {"other": np.zeros((9, 2))}, features(2, 20))


COMPARING = [name for name in NAMES if name not in ("inception_score", "classified", "classification_accuracy")]
"""Those to which the reference is not the same as nothing."""


@pytest.mark.parametrize("name", COMPARING)
def test_other_dimensions_and_bad_references_are_refused(name):
    generated, part = features(1, 20), metric(name)
    key = part.features
    with pytest.raises(UserError, match="generated has 6 dimensions, reference 4"):
        scored(name, generated, {key: features(2, 20)[key][:, :4]})
    with pytest.raises(UserError, match=f"^reference features '{key}': NaN"):
        scored(name, generated, {key: np.full((20, 6), np.nan)})
    with pytest.raises(UserError, match=r"wanted numbers of shape \(images, features\)"):
        scored(name, {key: np.zeros((20, 6, 1))}, generated)
    with pytest.raises(UserError, match=f"^reference features '{key}': 1 images, but"):
        scored(name, features(1, 60), {key: np.zeros((1, 6))})


def test_scoring_does_not_import_torch():
    program = "import sys\n" + "".join(f"import diffbench.metrics.{name}\n" for name in plugins.names("metrics"))
    program += "sys.exit('torch' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
