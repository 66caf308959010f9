"""Checks of a metric that is computed from features: its declarations, its number, its interval, what it refuses."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.commands.contract.check import BrokenError, Check, NotJudgedError, require, require_frozen
from diffbench.metrics._contract import Metric

FeatureSet = Mapping[str, np.ndarray]

CONSUMED = ("features", "images", "terms")


def checks(metric: Metric) -> Sequence[Check]:
    """Return the checks that apply to a metric; pairs of images and bounds have no stand-in data here."""
    if metric.consumes != "features":
        return (declarations,)
    found = [declarations, number, order_of_images, interval_shrinks, few_images, bad_numbers, one_image]
    return (*found, missing_array) + ((same_as_reference, other_width) if metric.needs_reference else ())


def drawn(metric: Metric, seed: int, n: int, shift: float = 0.0) -> dict[str, np.ndarray]:
    """Return features of n images, which are read-only as those of a file are; shift: their distance from others."""
    draws = np.random.default_rng(seed)
    pool = draws.standard_normal((n, 6)) + shift
    arrays = dict.fromkeys(("pool", "spatial", "dinov2", metric.features or "pool"), pool)
    arrays["logits"] = 3 * draws.standard_normal((n, 5)) + shift * np.arange(5)
    found = {key: values.astype(np.float32) for key, values in arrays.items()} | {"labels": draws.integers(0, 5, n)}
    for array in found.values():
        array.flags.writeable = False
    return found


def estimate(metric: Metric, generated: FeatureSet, reference: FeatureSet) -> Any:
    """Return what a metric returns; one that needs held-out images gets the same ones every time."""
    if metric.needs_held_out:
        return metric(generated, reference, drawn(metric, 4, 70))  # pyright: ignore[reportCallIssue]
    return metric(generated, reference)


def declarations(metric: Metric) -> None:
    """It is a frozen dataclass that declares its label, its direction and what it is computed from."""
    require_frozen(metric)
    require(
        isinstance(metric.label, str) and metric.label, f"label = {metric.label!r}; write the text for axes and tables"
    )
    better = metric.higher_is_better
    require(isinstance(better, bool), f"higher_is_better = {better!r}; it must be True or False")
    ideal = metric.ideal
    require(ideal is None or isinstance(ideal, float), f"ideal = {ideal!r}; it must be a number such as 0.0, or None")
    require(metric.consumes in CONSUMED, f"consumes = {metric.consumes!r}; it must be one of {', '.join(CONSUMED)}")


def number(metric: Metric) -> None:
    """It returns an Estimate: a finite number inside an interval, the same twice."""
    generated, reference = drawn(metric, 1, 60, 0.3), drawn(metric, 2, 80)
    found = estimate(metric, generated, reference)
    require(isinstance(found, Estimate), f"returns {type(found).__name__}; return diffbench.Estimate(value, low, high)")
    shown = f"{found.value} ({found.low} to {found.high})"
    require(math.isfinite(found.value), f"returns {shown} for normal features")
    require(found.low <= found.value <= found.high, f"{shown}: the value is outside its interval")
    require(found.low < found.high, f"{shown}: the interval has no width; see diffbench.mean_estimate")
    require(
        found.covers == "sampling", f"covers = {found.covers!r}; the interval is about the draw of the generated images"
    )
    require(
        estimate(metric, generated, reference) == found,
        "two calls differ; draw from np.random.Generator(np.random.PCG64(0))",
    )


def order_of_images(metric: Metric) -> None:
    """It does not depend on the order of the images."""
    generated, reference = drawn(metric, 1, 60, 0.3), drawn(metric, 2, 80)
    backwards = {key: value[::-1] for key, value in generated.items()}
    one, other = (dataclasses.astuple(estimate(metric, side, reference))[:3] for side in (generated, backwards))
    same = np.allclose(one, other, rtol=1e-9, atol=1e-12)
    require(same, f"images in reverse order give {other} for {one}; draw no images by their position")


def interval_shrinks(metric: Metric) -> None:
    """Its interval shrinks with the number of images."""
    few, many = (estimate(metric, drawn(metric, 1, n, 0.3), drawn(metric, 2, 80)) for n in (40, 640))
    widths = [found.high - found.low for found in (few, many)]
    require(
        widths[1] < 0.7 * widths[0],
        f"it is {widths[0]:.3g} wide with 40 images and {widths[1]:.3g} with 640; divide the variance by their number",
    )


def few_images(metric: Metric) -> None:
    """It works with the fewest images that it declares."""
    width = 5 if metric.features == "logits" else 6
    fewest = max(3, metric.fewest, metric.fewest_of(width))
    found = estimate(metric, drawn(metric, 3, fewest, 0.3), drawn(metric, 2, 80))
    require(
        math.isfinite(found.value) and math.isfinite(found.high - found.low),
        f"with {fewest} images it returns {found.value} ({found.low} to {found.high}); declare a larger `fewest`",
    )


def same_as_reference(metric: Metric) -> None:
    """It tells the reference itself from images that are far from it."""
    reference = drawn(metric, 2, 80)
    same, far = (
        estimate(metric, drawn(metric, 2, 80), reference),
        estimate(metric, drawn(metric, 2, 80, 4.0), reference),
    )
    require(math.isfinite(same.value), f"the reference itself gives {same.value}")
    require(
        same.value != far.value, f"it is {same.value} for both; use the reference, or declare needs_reference = False"
    )


def bad_numbers(metric: Metric) -> None:
    """It refuses features that are not finite."""
    for bad in (np.nan, np.inf):
        generated = {key: value.copy() for key, value in drawn(metric, 1, 20).items()}
        for array in generated.values():
            if array.ndim == 2:
                array[7, 2] = bad
        _refused(
            lambda given=generated: estimate(metric, given, drawn(metric, 2, 20)), f"{bad} in the features of image 7"
        )


def one_image(metric: Metric) -> None:
    """It refuses a single image."""
    _refused(lambda: estimate(metric, drawn(metric, 1, 1), drawn(metric, 2, 20)), "a single generated image")


def missing_array(metric: Metric) -> None:
    """It refuses features without the array that it reads."""
    _refused(
        lambda: estimate(metric, {"other": np.zeros((9, 2))}, drawn(metric, 2, 20)), "features that hold only 'other'"
    )


def other_width(metric: Metric) -> None:
    """It refuses a reference with features of another width."""
    if metric.features is None:
        raise NotJudgedError("it does not read exactly one array")
    narrow = {metric.features: drawn(metric, 2, 20)[metric.features][:, :4]}
    _refused(
        lambda: estimate(metric, drawn(metric, 1, 20), narrow), "a reference of 4 dimensions and generated images of 6"
    )


def _refused(call: Callable[[], Any], given: str) -> None:
    """Raise BrokenError unless a call ends with a UserError, which the user sees as one line."""
    advice = "read arrays by diffbench.feature_pair or diffbench.feature, which refuse it in one line"
    try:
        found = call()
    except UserError:
        return
    except Exception as error:
        raise BrokenError(f"{given}: {type(error).__name__}: {error}; {advice}") from None
    raise BrokenError(f"{given}: returns {getattr(found, 'value', found)}; {advice}")
