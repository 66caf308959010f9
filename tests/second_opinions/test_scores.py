"""The same features through everybody's formulas."""

import numpy as np
import pytest
import torch

from diffbench.metrics.coverage import coverage
from diffbench.metrics.density import density
from diffbench.metrics.fid import Fid, fid, frechet_distance, moments
from diffbench.metrics.inception_score import InceptionScore
from diffbench.metrics.kid import Kid, kid
from diffbench.metrics.precision import precision
from diffbench.metrics.recall import recall

from .conftest import feature_sets

SCORES = 1e-5


def exact_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Return the Frechet distance without a root of a matrix: its trace term is a nuclear norm."""
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum() / np.sqrt((len(x) - 1) * (len(y) - 1))
    spread = (a**2).sum() / (len(x) - 1) + (b**2).sum() / (len(y) - 1)
    return float(((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum() + spread - 2 * cross)


def test_fid_of_torch_fidelity(agreement):
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    for n, m, d in ((500, 600, 64), (60, 80, 256)):
        x, y = feature_sets(0, n, m, d)
        statistics = [fid_features_to_statistics(torch.from_numpy(z)) for z in (x, y)]
        theirs = fid_statistics_to_metric(*statistics, False)[KEY_METRIC_FID]
        shape = "n < d" if n < d else "n > d"
        agreement.near(f"FID, {shape}", "torch-fidelity", fid(x, y), theirs, SCORES)
        agreement.near(f"FID, {shape}", "nuclear norm, float64", fid(x, y), exact_distance(x, y), 1e-9)


def test_fid_of_pytorch_fid_and_clean_fid(agreement):
    from cleanfid.fid import fid_from_feats
    from pytorch_fid.fid_score import calculate_frechet_distance

    x, y = feature_sets(1, 500, 600, 64)
    theirs = calculate_frechet_distance(*moments(x), *moments(y))
    agreement.near("FID", "pytorch-fid", fid(x, y), theirs, SCORES)
    agreement.near("FID", "clean-fid", fid(x, y), fid_from_feats(x, y), SCORES)


def test_fid_of_inception_features_in_every_mode(agreement, ours, photos):
    """Our distance between two halves of the images' features, in every mode, against the exact one."""
    for resize, features in ours.items():
        x, y = (features["pool"][i::2].astype(np.float64) for i in (0, 1))
        size = f"{photos.shape[1]} px"
        agreement.near(f"FID of 3 + 3 images, {resize}, {size}", "nuclear norm", fid(x, y), exact_distance(x, y), 1e-6)
        s, r = (features["spatial"][i::2].astype(np.float64) for i in (0, 1))
        found = Fid(features="spatial")({"spatial": s}, {"spatial": r}).value
        agreement.near(f"sFID of 3 + 3 images, {resize}, {size}", "nuclear norm", found, exact_distance(s, r), 1e-6)


def test_stored_moments_win_over_images(agreement):
    """ADM's evaluator: the reference is what the batch stores of the full set, not its own 10,000 images."""
    x, y = feature_sets(2, 300, 900, 32)
    mu, sigma = moments(y)
    found = Fid()({"pool": x}, {"pool": y[:100], "mu": mu, "sigma": sigma}).value
    agreement.near("FID with stored moments", "formula", found, frechet_distance(*moments(x), mu, sigma), 1e-12)
    assert abs(found - fid(x, y[:100])) > 1e-3


@pytest.mark.parametrize("splits", [1, 10])
def test_inception_score_of_torch_fidelity(agreement, splits):
    from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric

    logits = 3 * np.random.default_rng(0).standard_normal((505, 40)).astype(np.float32)
    shuffled = splits > 1
    found = InceptionScore(splits=splits, shuffle_seed=2020 if shuffled else None)({"logits": logits}, {}).value
    theirs = isc_features_to_metric(torch.from_numpy(logits), splits, shuffled, 2020)[KEY_METRIC_ISC_MEAN]
    agreement.near(f"IS, {splits} splits", "torch-fidelity", found, theirs, SCORES)


def test_chunks_of_the_adm_evaluator(agreement):
    """Its loop, written out: consecutive chunks in file order, the last one what is left, then the mean."""
    logits = 3 * np.random.default_rng(1).standard_normal((230, 12))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scores = []
    for start in range(0, len(p), 100):
        part = p[start : start + 100]
        divergence = (part * (np.log(part) - np.log(part.mean(axis=0, keepdims=True)))).sum(axis=1)
        scores.append(np.exp(divergence.mean()))
    found = InceptionScore(chunk=100)({"logits": logits}, {}).value
    agreement.near("IS, chunks", "ADM's loop in numpy", found, np.mean(scores), 1e-12)


def test_kid(agreement):
    from cleanfid.fid import kernel_distance
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    x, y = feature_sets(3, 400, 400, 48)
    agreement.near("KID, all images", "clean-fid", kid(x, y), kernel_distance(y, x, 1, 400), SCORES)
    x, y = feature_sets(4, 1200, 1100, 32)
    theirs = kid_features_to_metric(torch.from_numpy(x), torch.from_numpy(y), kid_subsets=5, verbose=False)
    found = Kid(subsets=5)({"pool": x}, {"pool": y}).value
    agreement.near("KID, subsets", "torch-fidelity", found, theirs[KEY_METRIC_KID_MEAN], SCORES)


def test_neighbours(agreement):
    from prdc import compute_prdc
    from torch_fidelity import metric_prc

    x, y = feature_sets(5, 300, 400, 24)
    draws = np.random.default_rng(0)
    # prdc's `<` and our `<=` agree where nothing is tied.
    x, y = (z + 1e-3 * draws.standard_normal(z.shape) for z in (x, y))
    found = np.array([precision(x, y), recall(x, y)])
    theirs = metric_prc.prc_features_to_metric(
        torch.from_numpy(x), torch.from_numpy(y), prc_neighborhood=3, prc_batch_size=10_000, verbose=False
    )
    theirs = [theirs[key] for key in (metric_prc.KEY_METRIC_PRECISION, metric_prc.KEY_METRIC_RECALL)]
    cause = "counts exact; its mean is float32"
    agreement.near("precision, recall", "torch-fidelity", found, theirs, 1e-7, relative=False, cause=cause)
    counts = np.round(np.array(theirs, np.float64) * [300, 400])
    assert (np.round(found * [300, 400]) == counts).all()
    peer = compute_prdc(real_features=y, fake_features=x, nearest_k=3)
    agreement.near("precision, recall", "prdc", found, [peer["precision"], peer["recall"]], 0, relative=False)
    found = [density(x, y), coverage(x, y)]
    peer = compute_prdc(real_features=y, fake_features=x, nearest_k=5)
    agreement.near("density, coverage", "prdc", found, [peer["density"], peer["coverage"]], 1e-12, relative=False)
