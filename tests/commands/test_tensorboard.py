"""Training logs as files of events: TensorBoard's own reader finds the numbers of the logs in them."""

import csv
import sys

import numpy as np
import pytest

from diffbench.base.arrays import save_npz
from diffbench.base.errors import UserError
from diffbench.commands.tensorboard import tensorboard
from diffbench.diffusion.validation_loss import ValidationLosses

LOG = """step,loss,gradient_norm,gradient_noise,learning_rate
10,0.5,2.25,,0.001
20,0.25,nan,130.5,0.0005
"""
ACCURATE = "step,loss,learning_rate,accuracy_q0,held_out_accuracy_q0\n10,2.0,0.1,0.5,0.25\n"


@pytest.fixture
def results(tmp_path):
    for kind, log in (("models/ddpm", LOG), ("classifiers/noisy", ACCURATE)):
        folder = tmp_path / "results" / kind / "train0"
        folder.mkdir(parents=True)
        (folder / "log.csv").write_text(log)
    values = np.random.default_rng(0).random((2, 5, 2)).astype(np.float32)
    step, level = np.array([10, 20]), np.array([0.9, 0.5])
    made = ValidationLosses(step, step * 4, step * 1e6, np.array([0, 500]), level, 1 - level, values)
    save_npz(tmp_path / "results/models/ddpm/train0/validation.npz", made.arrays)
    return tmp_path / "results"


def scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder)).Reload()
    return {tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def test_the_events_hold_the_numbers_of_logs_and_validation_losses(results, diffbench, tmp_path):
    done = diffbench("tensorboard", str(results), "--out", "events", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("written to events: 2 trainings, 20 values; tensorboard --logdir events")
    found = scalars(tmp_path / "events/ddpm/train0")
    rows = list(csv.DictReader(LOG.splitlines()))
    for column in rows[0].keys() - {"step"}:
        wanted = [(int(row["step"]), float(row[column])) for row in rows if row[column] not in ("", "nan")]
        assert found.pop(f"training/{column}") == [(step, pytest.approx(value)) for step, value in wanted]
    with np.load(results / "models/ddpm/train0/validation.npz") as held:
        losses = held["losses"]
    means, error = losses.mean(axis=(1, 2)), losses.mean(axis=2).std(axis=1, ddof=1) / 5**0.5
    ends = {"loss": means, "low": means - 1.96 * error, "high": means + 1.96 * error}
    for name, values in ends.items():
        assert found.pop(f"validation/{name}") == [
            (10, pytest.approx(values[0], rel=1e-4)),
            (20, pytest.approx(values[1], rel=1e-4)),
        ]
    for place, t in enumerate((0, 500)):
        wanted = losses[:, :, place].mean(axis=1)
        assert found.pop(f"validation_by_timestep/t_{t}") == [
            (10, pytest.approx(wanted[0])),
            (20, pytest.approx(wanted[1])),
        ]
    assert found == {}
    classifier = scalars(tmp_path / "events/classifier_noisy/train0")
    assert classifier["accuracy/held_out_accuracy_q0"] == [(10, 0.25)] and len(classifier) == 4


def test_what_exists_is_not_touched(results, diffbench, tmp_path):
    (tmp_path / "events").mkdir()
    done = diffbench("tensorboard", str(results), "--out", "events", cwd=tmp_path)
    assert done.returncode == 2 and "--out: events exists, and nothing is overwritten; name another" in done.stderr
    assert not list((tmp_path / "events").iterdir())


def test_a_damaged_file_leaves_nothing_half_written(results, tmp_path):
    (results / "classifiers/noisy/train0/log.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"log\.csv: no column 'step'; not a training log"):
        tensorboard(results, tmp_path / "events")
    with pytest.raises(UserError, match="no training logs below it"):
        (tmp_path / "empty").mkdir()
        tensorboard(tmp_path / "empty", tmp_path / "events")
    assert not (tmp_path / "events").exists()


def test_without_tensorboard_one_line_says_how_to_get_it(results, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UserError, match=r"needs tensorboard, which is not installed: uv sync --extra tensorboard"):
        tensorboard(results, tmp_path / "events")
