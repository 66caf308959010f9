"""The training after which models reach a validation loss, read from a tree as a run leaves it."""

import json
import re

import numpy as np
import pytest

from diffbench.base.arrays import save_npz
from diffbench.base.provenance import write_provenance
from diffbench.diffusion.validation_loss import ValidationLosses


def measured(
    results, model, losses, *, batch=10, flops=1.0, alphas=(0.9, 0.5), speed: float | None = 50.0, images="test"
):
    """Write a training of `results` whose mean losses over six images are these, with a run record."""
    folder = results / "models" / model / "train0"
    folder.mkdir(parents=True)
    (folder / "log.csv").write_text("step,loss\n100,0.5\n")
    values = np.array(losses)[:, None, None] + np.linspace(-0.05, 0.05, 6)[None, :, None] + np.zeros((1, 1, 2))
    step = np.arange(1, len(losses) + 1) * 100
    levels = np.array(alphas), np.sqrt(1 - np.array(alphas) ** 2)
    held = ValidationLosses(step, step * batch, step * batch * flops, np.arange(2), *levels, values)
    save_npz(folder / "validation.npz", held.arrays)
    source = results / f"{images}.npz"
    source.write_text(images)
    write_provenance(folder / "validation.npz", spec={}, inputs=given({"held_out": source}), facts={})
    if speed:
        record = results / f"logs/train/{model}/train0.run.json"
        record.parent.mkdir(parents=True)
        record.write_text(json.dumps({"stage": "train", "images_per_second": speed}))
    return folder


def given(paths):
    from diffbench.base.inputs import checked

    return checked(paths, foreign=list(paths))


@pytest.fixture
def results(tmp_path):
    made = tmp_path / "runs/two/results"
    measured(made, "fast", [0.9, 0.5, 0.4, 0.3], flops=5.0)
    measured(made, "slow", [1.0, 0.9, 0.6, 0.4], speed=None)
    return made


def said(diffbench, *arguments, cwd):
    done = diffbench("time-to-quality", *map(str, arguments), cwd=cwd)
    return done.returncode, done.stdout + done.stderr


def test_the_table_and_who_is_first(results, diffbench, tmp_path):
    code, text = said(diffbench, results, "--loss", 0.55, cwd=tmp_path)
    lines = text.splitlines()
    assert code == 0 and lines[0].startswith("validation loss 0.55 (as asked): error of eps on 6 held-out images")
    rows = [re.split(r"\s{2,}", line) for line in lines[1:4]]
    assert rows[0] == ["training", "step", "images seen", "FLOPs", "seconds", "loss"]
    assert rows[1][:5] == ["fast/train0", "200", "2,000", "1e+04", "40.0"] and rows[1][5].startswith("0.5000 (0.4")
    assert rows[2][:4] == ["slow/train0", "400", "4,000", "4e+03"] and rows[2][4].startswith("0.4000")
    assert lines[4] == (
        "fast/train0 against slow/train0: fewer images, more FLOPs; "
        "+0.4000 (+0.4000 to +0.4000) by the other after 2,000 images, paired by image"
    )
    # Without a target, it is one that both reach; the folder of the benchmark does as well.
    code, text = said(diffbench, results.parent, cwd=tmp_path)
    assert code == 0 and "(the lowest that all reach)" in text and "not by" not in text
    code, text = said(diffbench, results, "--loss", 0.35, "--models", "fast,slow/train0", cwd=tmp_path)
    assert code == 0 and "slow/train0  not by 400" in text and "fewer images, FLOPs not resolved" in text
    code, text = said(diffbench, results, "--loss", 0.01, cwd=tmp_path)
    assert code == 0 and text.count("not by 400") == 2 and "fast/train0 against slow/train0: neither reaches it" in text


def test_what_does_not_compare_is_said(results, diffbench, tmp_path):
    measured(results, "cosine", [0.5, 0.2], alphas=(0.8, 0.5))
    measured(results, "elsewhere", [0.5, 0.2], images="train")
    text = said(diffbench, results, "--loss", 0.3, cwd=tmp_path)[1]
    assert text.count("not comparable: their noise levels differ") == 3 or text.count("not comparable") == 3
    assert "on other held-out images" in text


def test_what_cannot_be_read_is_one_line(results, diffbench, tmp_path):
    for arguments, message in (
        ([tmp_path / "none"], "no such folder of results"),
        ([results, "--models", "fasd"], "did you mean 'fast'?"),
    ):
        code, text = said(diffbench, *arguments, cwd=tmp_path)
        assert code == 2 and message in text and len(text.splitlines()) == 1
    record = results / "logs/train/fast/train0.run.json"
    record.write_text("{")
    code, text = said(diffbench, results, cwd=tmp_path)
    assert code == 2 and "train0.run.json: not a run record of a training" in text
    record.unlink()
    save_npz(results / "models/fast/train0/validation.npz", {"step": np.arange(3)})
    code, text = said(diffbench, results, cwd=tmp_path)
    assert code == 2 and "validation.npz" in text and len(text.splitlines()) == 1
    for path in results.rglob("validation.npz"):
        path.unlink()
    code, text = said(diffbench, results, cwd=tmp_path)
    assert code == 2 and "no validation losses below it; add `validation: {every: 500}`" in text
