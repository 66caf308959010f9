"""The published line of ADM's evaluator, wherever its files are at hand.

Set DIFFBENCH_PUBLISHED to a folder with weights-inception-2015-12-05-6726825d.pth (torch-fidelity's release v0.2.0),
admnet_guided_upsampled_imagenet256.npz and VIRTUAL_imagenet256_labeled.npz (guided-diffusion, evaluations/README).
"""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("DIFFBENCH_PUBLISHED", ""))
FILES = (
    "weights-inception-2015-12-05-6726825d.pth",
    "admnet_guided_upsampled_imagenet256.npz",
    "VIRTUAL_imagenet256_labeled.npz",
)
GOLDEN = {
    # Value, and how far the evaluator's float32 means and float16 distances may lie from float64.
    "inception_score": (215.8370, 0.05),
    "fid": (3.942557, 0.005),
    "sfid": (6.140434, 0.01),
    "precision": (0.8265, 0.003),
    "recall": (0.5309, 0.003),
}


@pytest.mark.slow
@pytest.mark.skipif(
    "DIFFBENCH_PUBLISHED" not in os.environ or not all((FOLDER / name).is_file() for name in FILES),
    reason="needs the published Inception weights and ADM's batches in the folder DIFFBENCH_PUBLISHED",
)
def test_adms_golden_line(tmp_path):
    from diffbench.commands.measure.run import measure, protocol_of

    weights, samples, reference = (FOLDER / name for name in FILES)
    part = protocol_of("adm", str(reference))
    given = {"label": "published", "out": tmp_path / "s.json", "cache": tmp_path, "weights": weights}
    found = {item["metric"]: item["value"] for item in measure(samples, reference, part, "adm", **given).records}
    assert found == {name: pytest.approx(value, abs=limit) for name, (value, limit) in GOLDEN.items()}
