"""The entry `numerics` of a benchmark."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from diffbench.base.errors import UserError
from diffbench.base.numerics import Numerics
from diffbench.benchmark import jobs
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.numerics import StageNumerics, numerics_of

SMOKE = Path(__file__).parents[2] / "workflow/config/smoke.yaml"


def test_a_stage_has_what_is_asked_for_and_others_compute_in_float32():
    assert numerics_of({"train": {"precision": "bf16"}}) == StageNumerics(train=Numerics("bf16"))
    assert numerics_of(None) == StageNumerics()


def test_defaults_that_are_written_out_leave_no_trace_in_a_job():
    assert numerics_of({"sample": {"precision": "float32", "channels_last": False}}) == StageNumerics()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"trian": {}}, "numerics: unknown key 'trian'.*train"),
        ({"train": {"precision": "fp16"}}, "numerics.train.precision: 'fp16'.*float32"),
        ("bf16", "numerics: 'bf16' is not a map of stages"),
    ],
)
def test_a_wrong_entry_is_named(entry, message):
    with pytest.raises(UserError, match=message):
        numerics_of(entry)


def loaded(tmp_path, **changes):
    """The smoke benchmark with other entries."""
    content = YAML(typ="safe").load(SMOKE) | changes
    path = tmp_path / "own.yaml"
    with open(path, "w") as file:
        YAML(typ="safe").dump(content, file)
    return load_benchmark(path)


def test_only_what_is_not_the_default_is_in_jobs_rows_and_digests(tmp_path):
    plain = loaded(tmp_path)
    written = loaded(tmp_path, numerics={"train": {"precision": "float32"}, "sample": {}})
    other = loaded(tmp_path, numerics={"train": {"precision": "bf16"}, "bound": {"channels_last": True}})
    row = plain.sample_sets()[0]
    for made in (
        lambda of: jobs.train_job(of, row.model, 0),
        lambda of: jobs.sample_job(of, row),
        lambda of: jobs.bound_job(of, row.model, "test"),
        lambda of: jobs.score_job(of, row.protocols[0], jobs.row_of_set(of, row)),
        lambda of: jobs.bound_score_job(of, row.model, 0),
    ):
        assert made(plain).as_json() == made(written).as_json() and "numerics" not in json.dumps(made(plain).as_json())
    assert "numerics" not in jobs.sample_job(other, row).as_json()
    assert jobs.train_job(other, row.model, 0).as_json()["numerics"]["precision"] == "bf16"
    assert jobs.row_of_set(other, row).numerics == "train bf16"
    assert jobs.bound_score_job(other, row.model, 0).row.numerics == "train bf16, bound float32+channels_last"
    assert jobs.row_of_real(other, 9).numerics is None


def test_numerics_without_an_effect_or_a_device_are_refused(tmp_path):
    with pytest.raises(UserError, match="numerics.train.precision: tf32 .* execution.device is cpu; choose float32"):
        loaded(tmp_path, numerics={"train": {"precision": "tf32"}}, execution={"device": "cpu"})
    loaded(tmp_path, numerics={"train": {"precision": "tf32"}}, execution={"device": "auto"})
    guided = [run for run in YAML(typ="safe").load(SMOKE)["runs"] if run["models"] == ["adm_g"]]
    with pytest.raises(UserError, match="numerics.bound: this benchmark has no job of this stage; leave it out"):
        loaded(tmp_path, numerics={"bound": {"precision": "bf16"}}, runs=guided)
    loaded(tmp_path, numerics={"train": {"precision": "bf16"}}, runs=guided)
