"""The expected time left: a training is not a score."""

import json
import time

import pytest

from diffbench.commands.reporting.progress import Job, Progress
from diffbench.commands.reporting.remaining import seconds_left, work_of


def job(number, rule, model="ddpm", work=None, logs=()):
    return Job(number, rule, {"model": model}, logs, work)


@pytest.fixture
def progress():
    """Two trainings of different length and two scores."""
    found = Progress()
    found.expect(
        [job(1, "train", work=100.0), job(2, "train", "adm", 300.0), job(3, "score_real"), job(4, "score_real")]
    )
    return found


def test_nothing_is_said_while_nothing_is_known(progress):
    assert seconds_left(progress) is None
    progress.start(progress.jobs[1])
    assert seconds_left(progress) is None
    progress.seconds[3] = 2.0
    assert seconds_left(progress) is None, "a score says nothing of trainings"


def test_jobs_are_weighted_by_their_work_and_run_side_by_side(progress):
    progress.seconds |= {1: 50.0, 3: 4.0}
    assert seconds_left(progress) == pytest.approx(150 + 4)
    progress.side_by_side = 2
    assert seconds_left(progress) == pytest.approx(77)
    progress.seconds |= {2: 1.0, 4: 1.0}
    assert seconds_left(progress) == 0


def test_a_running_job_is_judged_by_how_far_it_is(progress, tmp_path):
    log = tmp_path / "train.log"
    log.write_text("\rtrain:  25%|##        | 25/100 [00:10<00:30,  2.5step/s]")
    progress.jobs[1] = job(1, "train", work=100.0, logs=(log,))
    progress.running[1] = time.monotonic() - 10
    # 30 s of the first training, and three times its 40 s for the second; scores are taken for nothing.
    assert seconds_left(progress) == pytest.approx(30 + 120, rel=0.05)
    log.write_text("\rtrain:   1%|          | 1/100 [00:10<16:30,  0.1step/s]")
    assert seconds_left(progress) is None, "most of that time is start-up"


def test_the_same_model_is_a_better_guide_than_the_same_stage():
    found = Progress()
    jobs = [job(1, "sample", "small", 10.0), job(2, "sample", "large", 10.0), job(3, "sample", "large", 20.0)]
    found.expect(jobs)
    found.seconds |= {1: 1.0, 2: 30.0}
    assert seconds_left(found) == pytest.approx(60)


def test_the_work_of_a_job_is_its_network_evaluations():
    training = json.dumps({"training": {"steps": 10, "batch_size": 4}})
    assert work_of("train", training, {}) == 3 * 40
    assert work_of("sample", json.dumps({"num_images": 50}), {"steps": "8"}) == 400
    whole = {"bound": {"timesteps": None, "num_images": 3}, "diffusion": {"timesteps": 100}}
    assert work_of("bound", json.dumps(whole), {}) == 300
    for stage, spec in (("score", "{}"), ("train", "{}"), ("train", ""), ("sample", "[]"), ("bound", "null")):
        assert work_of(stage, spec, {"steps": "8"}) is None
