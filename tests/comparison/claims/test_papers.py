"""Each claim on made records whose verdict is known: one for which it holds, and one for which it fails."""

import numpy as np
import pytest

from diffbench.comparison.claims._contract import FAILS, HOLDS, NOT_RESOLVED, NOT_TESTABLE
from diffbench.comparison.claims._found import claim_named
from diffbench.comparison.claims._terms import variance_ratio

VLB, HYBRID = {"name": "vlb"}, {"name": "hybrid"}
LEARNED, DIAGONAL = {"variance": "learned_range"}, {"variance": "learned_diagonal"}
MU = {"parameterization": "mu"}
SPREAD = (-0.01, 0.012, 0.003)
"""What three training seeds add to a score, more to a larger one. The own intervals are too wide to decide anything."""


def scores(metric, value):
    return [{metric: (value + part * (value + 1), value - 9, value + 9)} for part in SPREAD]


def outcomes(made, claim):
    """The outcomes of each test of a claim, one for every place."""
    found = {}
    for item in claim_named(claim)(made.evidence()):
        found.setdefault(item.test, []).append(item.outcome)
    return list(found.values())


# By claim: the metric, the settings of models with the value of each, and the outcomes of the claim's tests.
OF_MODELS = [
    ("DDPM-1", "fid", [({"objective": VLB}, 9), ({}, 3)], [[NOT_TESTABLE], [HOLDS]]),
    ("DDPM-1", "nll_bits_per_dim", [({"objective": VLB}, 9), ({}, 3)], [[FAILS], [NOT_TESTABLE]]),
    ("DDPM-3", "fid", [({"objective": VLB}, 9), ({"objective": VLB, "diffusion": MU}, 10), ({}, 4)], [[HOLDS], [HOLDS]]),
    ("DDPM-3", "fid", [({"objective": VLB}, 9), ({"objective": VLB, "diffusion": MU}, 5), ({}, 8)], [[FAILS], [FAILS]]),
    ("DDPM-4", "fid", [({"objective": VLB, "diffusion": MU}, 5),
                       ({"objective": VLB, "diffusion": {**MU, **DIAGONAL}}, 9)], [[HOLDS]]),
    ("DDPM-7", "prior_bits_per_dim", [({}, 0.5)], [[FAILS]]),
    ("DDPM-11", "fid", [({"network": {"dropout": 0.1}}, 3), ({}, 4)], [[NOT_TESTABLE], [HOLDS]]),
    ("IDDPM-1", "nll_bits_per_dim", [({}, 5), ({"objective": HYBRID, "diffusion": LEARNED}, 4),
                                     ({"objective": VLB, "diffusion": LEARNED}, 4.5)], [[HOLDS], [FAILS]]),
    ("IDDPM-2", "fid", [({}, 5), ({"objective": HYBRID, "diffusion": LEARNED}, 5.1),
                        ({"objective": VLB, "diffusion": LEARNED}, 9)], [[HOLDS], [HOLDS]]),
    ("IDDPM-2", "fid", [({}, 5), ({"objective": HYBRID, "diffusion": LEARNED}, 7),
                        ({"objective": VLB, "diffusion": LEARNED}, 7.1)], [[FAILS], [FAILS]]),
    ("IDDPM-3", "nll_bits_per_dim", [({}, 5), ({"diffusion": {"schedule": "cosine"}}, 4)], [[HOLDS], [NOT_TESTABLE]]),
    ("IDDPM-4", "fid", [({}, 3), ({"diffusion": {"schedule": "cosine"}}, 4)], [[FAILS], [NOT_TESTABLE]]),
    ("IDDPM-5", "nll_bits_per_dim", [({"diffusion": {"timesteps": 1000}}, 4), ({"diffusion": {"timesteps": 4000}}, 3)],
     [[HOLDS]]),
    ("IDDPM-5", "nll_bits_per_dim", [({}, 4), ({"diffusion": {"timesteps": 4000}, "training": {"steps": 5}}, 3)],
     [[NOT_TESTABLE]]),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "metric", "models", "expected"), OF_MODELS)
def test_claims_on_models_that_differ(made_records, claim, metric, models, expected):
    for number, (settings, value) in enumerate(models):
        name = f"m{number}"
        made_records.model(name, range(3), **settings)
        add = made_records.samples if metric == "fid" else made_records.bound
        add(name, scores(metric, value))
    assert outcomes(made_records, claim) == expected


DDIM = {"name": "ddim", "eta": 0.0}
BETA_TILDE = {"name": "ddim", "eta": 1.0}


def test_the_variances_of_a_whole_chain_are_a_ratio_of_two_samplers(made_records):
    made_records.model("m", range(3))
    made_records.samples("m", scores("fid", 4), steps=100)
    made_records.samples("m", scores("fid", 4), steps=25)
    made_records.samples("m", scores("fid", 9), sampler=BETA_TILDE, name="ddim", steps=25)
    assert outcomes(made_records, "DDPM-10") == [[NOT_TESTABLE]]
    made_records.samples("m", scores("fid", 6), sampler=BETA_TILDE, name="ddim", steps=100)
    assert outcomes(made_records, "DDPM-10") == [[FAILS]]


def test_raw_weights_and_their_average(made_records):
    made_records.model("m", range(3))
    made_records.samples("m", scores("fid", 4))
    made_records.samples("m", scores("fid", 9), name="raw", weights="raw")
    assert outcomes(made_records, "DDPM-11")[0] == [HOLDS]


@pytest.mark.parametrize(("few", "many", "expected"), [((3, 5), (5, 3), HOLDS), ((5, 3), (3, 5), FAILS)])
def test_learned_variances_by_the_number_of_steps(made_records, few, many, expected):
    made_records.model("m", range(3), objective=HYBRID, diffusion={**LEARNED, "timesteps": 1000})
    for steps, (ddim, own) in ((10, few), (100, many)):
        made_records.samples("m", scores("fid", ddim), sampler=DDIM, name="ddim", steps=steps)
        made_records.samples("m", scores("fid", own), steps=steps)
    assert outcomes(made_records, "IDDPM-12") == [[expected], [expected]]
    made_records.samples("m", scores("fid", 4.9), steps=1000)
    (nearly,) = outcomes(made_records, "IDDPM-9")
    assert nearly == [HOLDS]
    # At 100 of 1000 steps the chain is not short enough for the claim on few steps; at 10 it is.
    made_records.model("fixed", range(3), diffusion={"timesteps": 1000})
    for steps in (10, 100):
        made_records.samples("fixed", scores("fid", 9), steps=steps)
    assert outcomes(made_records, "IDDPM-10") == [[HOLDS]]


# -- claims on the terms of bounds


def terms(first, late, early, images=60):
    """Terms of a chain of 100 steps in three strata: t = 0, t from 1 to 10, and the rest. Each is noisy."""
    noise = np.random.default_rng(0).normal(1, 0.01, (images, 3))
    width = np.array([1, 10, 89])
    return {
        "timesteps": np.tile([0, 5, 50], (images, 1)),
        "vlb": noise * np.array([first, late, early]) / width,
        "width": width,
        "prior": np.full(images, 1e-5),
        "bits_per_dim": noise @ np.array([first, late, early]),
        "curve_x_0_mse": np.cumsum(np.abs(noise), axis=1),
    }


@pytest.mark.parametrize(
    ("claim", "arrays", "expected"),
    [
        ("DDPM-5", terms(2, 0.9, 0.9), HOLDS),
        ("DDPM-5", terms(0.1, 0.9, 0.9), FAILS),
        ("IDDPM-6", terms(0.1, 2, 1), HOLDS),
        ("IDDPM-6", terms(0.1, 1, 2), FAILS),
        ("DDPM-8", terms(0.1, 2, 0.5), HOLDS),
        ("DDPM-8", terms(9, 1, 2), FAILS),
        ("IDDPM-8", terms(5, 0.1, 0.1), HOLDS),
        ("IDDPM-8", terms(0.01, 0.1, 0.89), FAILS),
    ],
)
def test_claims_on_terms(made_records, claim, arrays, expected):
    objective = VLB if claim == "IDDPM-8" else {}
    made_records.model("m", range(1), objective=objective)
    made_records.bound("m", [{"nll_bits_per_dim": 3.0}], [arrays])
    first, *rest = claim_named(claim)(made_records.evidence())
    assert first.outcome == expected
    assert claim != "DDPM-8" or [item.outcome for item in rest] == [HOLDS]
    # Terms that were made again are not those that were scored.
    path = made_records.results / "terms/m/train0/test.npz"
    path.with_name("kept.npz").write_bytes(path.read_bytes())
    path.unlink()
    assert {item.outcome for item in claim_named(claim)(made_records.evidence())} == {NOT_TESTABLE}


def test_a_curve_that_turns_fails(made_records):
    arrays = terms(0.1, 2, 0.5)
    arrays["curve_x_0_mse"] = arrays["curve_x_0_mse"][:, ::-1]
    made_records.model("m")
    made_records.bound("m", [{"nll_bits_per_dim": 3.0}], [arrays])
    assert [item.outcome for item in claim_named("DDPM-8")(made_records.evidence())] == [HOLDS, FAILS]


def test_the_variance_of_importance_sampling_is_that_of_many_draws(made_records):
    draws = np.random.default_rng(1)
    arrays = terms(5, 1, 2, images=4000)
    made_records.model("m")
    made_records.bound("m", [{"nll_bits_per_dim": 3.0}], [arrays])
    (item,) = made_records.evidence().of("nll_bits_per_dim")
    found = variance_ratio(item)
    loss, width = arrays["vlb"], arrays["width"]
    uniform = 100 * loss[draws.integers(0, 4000, 400_000), np.repeat([0, 1, 2], width)[draws.integers(0, 100, 400_000)]]
    p = width * np.sqrt((loss**2).mean(0))
    stratum = draws.choice(3, 400_000, p=p / p.sum())
    sampled = (loss * width / (p / p.sum()))[draws.integers(0, 4000, 400_000), stratum]
    assert found is not None and found.value == pytest.approx(sampled.var() / uniform.var(), rel=0.03)
    assert sampled.mean() == pytest.approx(uniform.mean(), rel=0.02)


# -- claims on traces and on features


@pytest.mark.parametrize(("low_first", "expected"), [(True, HOLDS), (False, FAILS)])
def test_the_band_that_is_final_first_is_found(made_records, low_first, expected):
    draws = np.random.default_rng(0)
    y, x = np.mgrid[:8, :8]
    low, high = np.cos(2 * np.pi * x / 8), np.cos(np.pi * (x + y))
    samples = np.stack([low + high] * 8)[..., None] * 50 + 128
    way = np.stack([draws.normal(0, 1, (8, 8, 8)) + early + late for early, late in (
        ((0 * low, 0 * low), (9 * low, 0 * high), (9 * low, 9 * high)) if low_first else
        ((0 * low, 0 * low), (0 * low, 9 * high), (9 * low, 9 * high))
    )], axis=1)[..., None]  # fmt: skip
    # A last point with noise alone would be final nowhere, so images differ in where their bands are final.
    made_records.model("m")
    made_records.bound("m", [{"nll_bits_per_dim": 3.0}])
    step = np.array([0, 50, 99])
    arrays = {"generation_x_0": way, "generation_samples": samples, "generation_step": step}
    made_records.trace("m", arrays | {"generation_num_steps": np.array(100)})
    (finding,) = claim_named("DDPM-9")(made_records.evidence())
    assert finding.outcome == expected and abs(finding.effect.value) == pytest.approx(49)


def test_distances_to_training_and_test_images_are_at_equal_numbers(made_records):
    draws = np.random.default_rng(0)
    train, test = draws.normal(0, 1, (900, 4)), draws.normal(0, 1, (300, 4))
    protocol = "protocol=classifier@1;reference=train:900@1;n=300"
    files = [made_records.features(f"real/{name}", pool) for name, pool in (("train", train), ("test", test))]
    made_records.real({"fid": 1.0}, files[1], files[0], protocol)

    def judged(name, pools):
        made_records.model(name, range(len(pools)), training={"steps": len(name)})
        paths = [made_records.features(f"{name}/{number}", pool) for number, pool in enumerate(pools)]
        rows = [{"fid": 1.0}] * len(pools)
        made_records.samples(name, rows, features=paths, reference=files[0], protocol=protocol)
        return {item.on: item for item in claim_named("DDPM-2")(made_records.evidence())}[f"{name}/ancestral/25"]

    # Copies of the first training images have no distance to them. Fresh images are as far from both.
    copies = judged("copies", [train[:300] + draws.normal(0, 0.01, (300, 4)) for _ in range(3)])
    assert copies.outcome in (HOLDS, NOT_RESOLVED) and copies.effect.value < 0
    assert judged("fresh", [draws.normal(0, 1, (300, 4)) for _ in range(3)]).outcome == NOT_RESOLVED
    assert "reference images" in copies.effect.covers and "influence" in copies.method
    moved = judged("moved on", [test + 0.3])
    assert moved.effect.value > 0
