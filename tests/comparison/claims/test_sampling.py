"""Claims on samplers, guidance and metrics, on made records whose verdict is known."""

import math

import numpy as np
import pytest

from diffbench.comparison.claims._bands import band, correlations
from diffbench.comparison.claims._contract import FAILS, HOLDS, NOT_RESOLVED, NOT_TESTABLE
from diffbench.comparison.claims._found import claim_named
from diffbench.comparison.claims.eval_1 import bend, curves_of, fall, jackknifed
from diffbench.metrics._frechet import Normal

SPREAD = (-0.01, 0.012, 0.003)
"""What three training seeds add to a score, more to a larger one. The own intervals are too wide to decide anything."""
WILD = (-3.0, 0.5, 2.6)
"""A spread over seeds from which nothing can be told."""


def fids(value, spread=SPREAD, **more):
    return [{"fid": (value + part * (value + 1), value - 9, value + 9), **more} for part in spread]


def found(made, claim):
    """The findings of each test of a claim."""
    tests = {}
    for item in claim_named(claim)(made.evidence()):
        tests.setdefault(item.test, []).append(item)
    return list(tests.values())


def outcomes(made, claim):
    return [[item.outcome for item in items] for items in found(made, claim)]


def ddim(eta=0.0):
    return {"sampler": {"name": "ddim", "eta": eta}, "name": f"ddim{eta:g}"}


# -- guidance


@pytest.mark.parametrize(
    ("scores", "expected"),
    [((5, 6, 3), [HOLDS, HOLDS]), ((5, 4, 7), [FAILS, FAILS]), ((5, 5.01, 4.99), [NOT_RESOLVED, NOT_RESOLVED])],
)
def test_guidance_without_labels(made_records, scores, expected):
    made_records.model("plain", range(3))
    spread = WILD if NOT_RESOLVED in expected else SPREAD
    for number, (scale, value) in enumerate(zip((0.0, 1.0, 4.0), scores, strict=True)):
        # Every scale has its own order of seeds, since a shared one would cancel.
        made_records.samples("plain", fids(value, spread[number:] + spread[:number]), scale=scale)
    assert outcomes(made_records, "ADM-2") == [[expected[0]], [expected[1]]]
    assert claim_named("ADM-2").control
    # The same scores of a model with labels are about another claim.
    assert outcomes(made_records, "ADM-3") == [[NOT_TESTABLE]]


def test_guidance_without_labels_needs_no_guidance_and_a_large_scale(made_records):
    made_records.model("plain", range(3))
    made_records.samples("plain", fids(5), scale=1.0)
    made_records.samples("plain", fids(5), scale=2.0)
    assert outcomes(made_records, "ADM-2") == [[NOT_TESTABLE], [NOT_TESTABLE]]
    made_records.samples("plain", fids(4), scale=0.0)
    assert outcomes(made_records, "ADM-2") == [[HOLDS], [NOT_TESTABLE]]


@pytest.mark.parametrize(
    ("late", "spread", "expected"),
    [(3, SPREAD, HOLDS), (6, SPREAD, FAILS), (4, WILD, NOT_RESOLVED), (math.nan, SPREAD, NOT_TESTABLE)],
)
def test_more_steps_near_the_data(made_records, late, spread, expected):
    made_records.model("m", range(3))
    made_records.samples("m", fids(4))
    made_records.samples("m", fids(9), spacing="2,2,6,6,9", name="early")
    made_records.samples("m", fids(8), spacing="ddim25", name="stride")
    assert outcomes(made_records, "ADM-4") == [[NOT_TESTABLE]]
    made_records.samples("m", fids(late, spread), spacing="9,6,6,2,2", name="late")
    assert outcomes(made_records, "ADM-4") == [[expected]]


def guided(made, few, many, spread=SPREAD):
    """Add FID by scale, of 25 steps of DDIM by its own stride and of 250 ancestral steps."""
    made.model("m", range(3), diffusion={"timesteps": 1000}, network={"class_conditional": True})
    for number, scale in enumerate(few):
        # Each scale has its own order of seeds, since a shared one would cancel.
        turned = spread[number:] + spread[:number]
        made.samples("m", fids(few[scale], turned[1:] + turned[:1]), scale=scale, steps=25, spacing="ddim25", **ddim())
        made.samples("m", fids(many[scale], turned), scale=scale, steps=250)


@pytest.mark.parametrize(
    ("few", "many", "spread", "near", "larger"),
    [
        ({1.0: 9, 2.0: 6, 4.0: 8}, {1.0: 5, 2.0: 7, 4.0: 9}, SPREAD, HOLDS, HOLDS),
        ({1.0: 5, 2.0: 7, 4.0: 9}, {1.0: 5, 2.0: 7, 4.0: 9}, SPREAD, HOLDS, FAILS),
        # The best scale of many steps may be 1 or 2.
        ({1.0: 9, 2.0: 5, 4.0: 9}, {1.0: 5, 2.0: 5, 4.0: 9}, SPREAD, HOLDS, NOT_RESOLVED),
        ({1.0: 15, 2.0: 14, 4.0: 13}, {1.0: 9, 2.0: 5, 4.0: 9}, SPREAD, FAILS, HOLDS),
        ({1.0: 5, 2.0: 5, 4.0: 4.9}, {1.0: 5, 2.0: 7, 4.0: 9}, WILD, NOT_TESTABLE, NOT_RESOLVED),
    ],
)
def test_the_best_scale_at_few_steps(made_records, few, many, spread, near, larger):
    guided(made_records, few, many, spread)
    # With the wild spread a score is negative, which has no ratio.
    assert outcomes(made_records, "ADM-6") == [[larger]]
    assert outcomes(made_records, "ADM-5") == [[near]]


def test_a_best_scale_of_scores_that_are_no_numbers_is_not_testable(made_records):
    guided(made_records, {1.0: 5, 2.0: math.nan}, {1.0: 5, 2.0: 7})
    assert outcomes(made_records, "ADM-6") == [[NOT_TESTABLE]]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"guided": (5, 0.5), "cascade": (7, 0.6), "both": (4, 0.5)}, [HOLDS, HOLDS, HOLDS]),
        ({"guided": (4, 0.6), "cascade": (7, 0.5), "both": (5, 0.5)}, [FAILS, HOLDS, FAILS]),
    ],
)
def test_guidance_and_upsampling(made_records, scores, expected):
    rows = {
        name: [
            {**one, "recall": (recall * (1 + part), recall - 1, recall + 1)}
            for one, part in zip(fids(fid), SPREAD, strict=True)
        ]
        for name, (fid, recall) in scores.items()
    }
    made_records.model("large", range(3), network={"class_conditional": True})
    made_records.model("small", range(3), "shrunk", network={"channels": 4})
    made_records.model("other_small", range(3), "shrunk", network={"channels": 2})
    made_records.model("upsampler", range(3), network={"name": "super_resolution"})
    made_records.samples("large", rows["guided"], scale=1.0)
    for name, scale in (("small", None), ("small", 1.0), ("small", 2.0), ("other_small", 1.0)):
        made_records.samples(name, fids(20), scale=scale)
    made_records.samples("upsampler", rows["cascade"], name="u", low_res=("small", None))
    assert outcomes(made_records, "ADM-8") == [[NOT_TESTABLE]] * 3
    # Neither another scale than the large model's nor another small model makes a pair.
    made_records.samples("upsampler", fids(1), name="gu2", low_res=("small", 2.0))
    made_records.samples("upsampler", fids(1), name="other", low_res=("other_small", 1.0))
    assert outcomes(made_records, "ADM-8") == [[NOT_TESTABLE]] * 3
    made_records.samples("upsampler", rows["both"], name="gu", low_res=("small", 1.0))
    assert outcomes(made_records, "ADM-8") == [[outcome] for outcome in expected]


# -- networks


def test_each_change_of_the_network_is_tested_by_itself(made_records):
    base = {"attention_resolutions": [4], "heads": 2, "residual_resampling": False, "scale_shift": False}
    changes = {
        "base": ({}, 5),
        "norm": ({"scale_shift": True}, 4),
        "blocks": ({"residual_resampling": True}, 6),
        "attention": ({"attention_resolutions": [8, 4]}, 4),
        "elsewhere": ({"attention_resolutions": [8]}, 9),
        "two": ({"heads": 4, "scale_shift": True}, 1),
    }
    for name, (change, value) in changes.items():
        made_records.model(name, range(3), network={**base, **change})
        made_records.samples(name, fids(value))
    norm, blocks, attention, heads, rescaled = found(made_records, "ADM-7")
    assert [item.outcome for item in norm] == [HOLDS] and norm[0].on == "norm against base/ancestral/25"
    assert [item.outcome for item in blocks] == [FAILS]
    # Attention at 8 and 4 has more than attention at 4 or at 8 alone, while those two cannot be ranked.
    assert {item.on.partition("/")[0]: item.outcome for item in attention} == {
        "attention against base": HOLDS,
        "attention against elsewhere": HOLDS,
    }
    assert [item.outcome for item in heads] == [HOLDS] and heads[0].on.startswith("two against norm")
    assert [item.outcome for item in rescaled] == [NOT_TESTABLE]


# -- DDIM


@pytest.mark.parametrize(
    ("values", "spread", "expected"),
    [((3, 4, 6), SPREAD, HOLDS), ((3, 6, 4), SPREAD, FAILS), ((3, 3.5, 4), WILD, NOT_RESOLVED),
     ((3, math.nan, 4), SPREAD, NOT_TESTABLE)],
)  # fmt: skip
def test_fid_grows_with_eta_at_each_number_of_steps(made_records, values, spread, expected):
    made_records.model("m", range(3))
    for number, (eta, value) in enumerate(zip((0.0, 0.5, 1.0), values, strict=True)):
        made_records.samples("m", fids(value, spread[number:] + spread[:number]), **ddim(eta))
        made_records.samples("m", fids(1 + eta), steps=50, **ddim(eta))
    assert sorted(outcomes(made_records, "DDIM-1")[0]) == sorted([expected, HOLDS])


@pytest.mark.parametrize(("few", "whole", "expected"), [((9, 4), (2, 3), HOLDS), ((4, 9), (3, 2), FAILS)])
def test_the_large_variance_at_few_and_at_all_steps(made_records, few, whole, expected):
    made_records.model("m", range(3))
    for steps, (large, small) in ((10, few), (100, whole)):
        made_records.samples("m", fids(large), steps=steps)
        made_records.samples("m", fids(small), steps=steps, **ddim(1.0))
        made_records.samples("m", fids(small), steps=steps, **ddim(0.0))
    assert outcomes(made_records, "DDIM-2") == [[expected], [expected]]
    # The same pair with a learned variance is no large variance, and half of a chain of 40 steps is not 25.
    made_records.model("learned", range(3), diffusion={"variance": "learned_range"})
    made_records.model("short", range(3), diffusion={"timesteps": 40})
    for name in ("learned", "short"):
        made_records.samples(name, fids(9))
        made_records.samples(name, fids(4), **ddim(1.0))
    assert outcomes(made_records, "DDIM-2") == [[expected], [expected]]


@pytest.mark.parametrize(("values", "expected"), [((9, 5, 3), HOLDS), ((9, 3, 5), FAILS), ((9, 5, 5), NOT_RESOLVED)])
def test_more_steps_are_better_for_every_eta(made_records, values, expected):
    made_records.model("m", range(3))
    for number, (steps, value) in enumerate(zip((10, 25, 100), values, strict=True)):
        made_records.samples("m", fids(value, SPREAD[number:] + SPREAD[:number]), steps=steps, **ddim())
    made_records.samples("m", fids(8), steps=10, **ddim(1.0))
    assert outcomes(made_records, "DDIM-3") == [[expected]]


def pictures(low, high, seed=0):
    """Images of 16 x 16 as bytes, that share low and high frequencies by these weights, the rest being of the seed."""
    draws = [np.random.default_rng(number).normal(0, 1, (40, 16, 16, 1)) for number in (99, seed)]
    shared, own = ([band(one, low=is_low) for is_low in (True, False)] for one in draws)
    mixed = sum(
        weight * a + math.sqrt(1 - weight**2) * b for weight, a, b in zip((low, high), shared, own, strict=True)
    )
    return np.clip(128 + 40 * mixed, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [((0.99, 0.9), [HOLDS, HOLDS]), ((0.3, 0.5), [FAILS, FAILS]), ((0.9, 0.9), [NOT_RESOLVED, NOT_RESOLVED])],
)
def test_the_same_noise_gives_the_same_image(made_records, weights, expected):
    made_records.model("m", range(3), diffusion={"timesteps": 1000})
    for steps in (10, 25, 100):
        # The mean correlation of two images that share a part with one another is the square of the weight.
        kept = [pictures(*map(math.sqrt, weights), seed=10 * steps + seed) for seed in range(3)]
        if expected[0] == NOT_RESOLVED:
            kept = [pictures(*(math.sqrt(part) for part in pair), seed=10 * steps + seed)
                    for seed, pair in enumerate(((0.7, 0.8), (0.9, 0.8), (0.8, 0.8)))]  # fmt: skip
        made_records.samples("m", fids(4, nfe=(steps,) * 3), steps=steps, images=kept, **ddim())
    (whole,), (lead,) = found(made_records, "DDIM-5")
    assert [whole.outcome, lead.outcome] == expected
    assert whole.on == "m/ddim0/25 against m/ddim0/100"


def test_images_that_are_gone_or_of_another_size_have_no_correlation(made_records):
    made_records.model("m", diffusion={"timesteps": 1000})
    for steps, size in ((25, 40), (50, 40), (200, 39)):
        images = [pictures(1, 1)[:size]]
        made_records.samples("m", fids(4, (0,), nfe=(steps,) * 3), steps=steps, images=images, **ddim())
    assert outcomes(made_records, "DDIM-5") == [[NOT_TESTABLE], [NOT_TESTABLE]]
    made_records.samples("m", fids(4, (0,), nfe=(300,) * 3), steps=300, images=[pictures(1, 1)], **ddim())
    assert [len(items) for items in outcomes(made_records, "DDIM-5")] == [2, 2]
    (made_records.results / "samples/m/train0/ddim0/sample0/300.npz").unlink()
    assert outcomes(made_records, "DDIM-5") == [[NOT_TESTABLE], [NOT_TESTABLE]]


def test_an_image_of_one_colour_has_no_correlation():
    images = pictures(0.5, 0.5)
    images[3] = 7
    values = correlations(images, images)
    assert np.isnan(values[3]) and np.delete(values, 3) == pytest.approx(1)
    flat = band(images, low=True)
    assert np.isnan(correlations(flat, flat)[3])


def test_bands_add_up_to_the_image_without_its_mean():
    images = pictures(0.5, 0.5).astype(float)
    parts = band(images, low=True) + band(images, low=False)
    assert parts == pytest.approx(images - images.mean(axis=(1, 2), keepdims=True))


# -- solvers


SOLVER = {"sampler": {"name": "dpm_solver", "order": 2}, "name": "dpm2", "spacing": "log_snr10", "steps": 10}


@pytest.mark.parametrize(
    ("solver", "nfe", "expected"),
    [(3, 19, HOLDS), (6, 19, FAILS), (6, 20, FAILS), (3, 21, NOT_TESTABLE), (3, 18, NOT_TESTABLE)],
)
def test_solvers_are_compared_at_equal_cost_and_never_at_an_advantage(made_records, solver, nfe, expected):
    made_records.model("m", range(3))
    for steps, value in ((10, 9), (20, 4)):
        spaced = {"spacing": f"log_snr{steps}", "steps": steps}
        made_records.samples("m", fids(value, nfe=(steps,) * 3), **spaced, **ddim())
    made_records.samples("m", fids(solver, nfe=(nfe,) * 3), **SOLVER)
    second, third, heun, runge_kutta = outcomes(made_records, "FAST-1")
    assert second == [expected] and third == heun == runge_kutta == [NOT_TESTABLE]


@pytest.mark.parametrize("spacing", ["karras10", "10"])
def test_solvers_are_compared_on_one_grid(made_records, spacing):
    made_records.model("m", range(3))
    made_records.samples("m", fids(9, nfe=(20,) * 3), steps=20, spacing="log_snr20", **ddim())
    made_records.samples("m", fids(3, nfe=(19,) * 3), **{**SOLVER, "spacing": spacing})
    assert outcomes(made_records, "FAST-1")[0] == [NOT_TESTABLE]
    # A solver on a uniform grid, which it was not made for, is not judged, even against DDIM on the same.
    made_records.samples("m", fids(9, nfe=(20,) * 3), steps=20, spacing=spacing.replace("10", "20"), **ddim())
    assert outcomes(made_records, "FAST-1")[0] == [HOLDS if spacing == "karras10" else NOT_TESTABLE]


@pytest.mark.parametrize(("corrected", "expected"), [(3, HOLDS), (6, FAILS)])
def test_a_corrector_or_twice_the_steps(made_records, corrected, expected):
    made_records.model("m", range(3))
    sampler = {"name": "predictor_corrector", "snr": 0.16, "corrections": 1}
    made_records.samples("m", fids(corrected, nfe=(19,) * 3), sampler=sampler, name="pc", steps=10)
    made_records.samples("m", fids(9, nfe=(10,) * 3), steps=10)
    assert outcomes(made_records, "SDE-3") == [[NOT_TESTABLE]]
    made_records.samples("m", fids(4, nfe=(20,) * 3), steps=20)
    assert outcomes(made_records, "SDE-3") == [[expected]]


@pytest.mark.parametrize(("loose", "expected"), [((56, 4.0), [HOLDS, HOLDS]), ((120, 6), [FAILS, FAILS])])
def test_the_tolerance_of_the_flow(made_records, loose, expected):
    made_records.model("m", range(3))
    for tolerance, (nfe, value) in ((1e-3, loose), (1e-5, (164, 4.01))):
        sampler = {"name": "probability_flow", "rtol": tolerance, "atol": tolerance}
        made_records.samples("m", fids(value, nfe=(nfe,) * 3), sampler=sampler, name=f"flow{tolerance:g}")
    assert outcomes(made_records, "SDE-4") == [[expected[0]], [expected[1]]]


# -- metrics


def drawn(shift, images=400, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, (images, 4))


def test_the_bias_of_fid_falls_on_a_line(made_records):
    reference = made_records.features("real/train", drawn(0, 5000, 5))
    made_records.model("m", range(3))
    files = [made_records.features(f"m/{seed}", drawn(0.3, seed=seed)) for seed in range(3)]
    made_records.samples("m", fids(1), features=files, reference=reference)
    (fall,), (line,) = found(made_records, "EVAL-1")
    assert fall.outcome == HOLDS and fall.effect.value > 0
    assert line.outcome in (HOLDS, NOT_RESOLVED) and line.effect.low < 3 < line.effect.high


def test_the_interval_of_the_bias_covers_it():
    # The features have heavy tails, which a formula for normal ones would take for less variance than there is.
    draws = np.random.default_rng(3)
    reference = Normal.of_images(draws.standard_t(5, (5000, 2)))
    curves = [curves_of(draws.standard_t(5, (150, 2)) + 0.3, reference) for _ in range(40)]
    for reading in (fall, bend):
        found = [jackknifed(reading(one)) for one in curves]
        truth = np.median([one.value for one in found])
        assert np.mean([one.low < truth < one.high for one in found]) > 0.8


def test_the_bias_needs_features_of_enough_images(made_records):
    reference = made_records.features("real/train", drawn(0, 500, 5))
    made_records.model("m", range(2))
    made_records.samples("m", fids(1, (0, 0)))
    assert outcomes(made_records, "EVAL-1") == [[NOT_TESTABLE], [NOT_TESTABLE]]
    files = [made_records.features(f"m/{seed}", drawn(0, 20, seed)) for seed in range(2)]
    made_records.samples("m", fids(1, (0, 0)), features=files, reference=reference)
    assert outcomes(made_records, "EVAL-1") == [[NOT_TESTABLE], [NOT_TESTABLE]]


def test_features_of_equal_images_have_no_bias_and_are_not_testable(made_records):
    reference = made_records.features("real/train", drawn(0, 500, 5))
    made_records.model("m")
    made_records.samples("m", fids(1, (0,)), features=[made_records.features("m/0", np.ones((400, 4)))],
                         reference=reference)  # fmt: skip
    assert all(item.outcome != HOLDS for items in found(made_records, "EVAL-1") for item in items)
