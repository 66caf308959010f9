"""A scheduler_config.json of diffusers as a sampler's entry: what is taken over, what is said, what is refused."""

import copy
import json
from pathlib import Path

import diffusers
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffbench.base.errors import UserError
from diffbench.benchmark.load import parse_benchmark
from diffbench.benchmark.yaml_file import read_yaml, write_yaml

SMOKE = read_yaml(Path(__file__).parents[2] / "workflow/config/smoke.yaml")
KARRAS = {
    "_class_name": "DPMSolverMultistepScheduler", "_diffusers_version": "0.25.0", "num_train_timesteps": 1000,
    "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear", "prediction_type": "epsilon",
    "solver_order": 2, "algorithm_type": "dpmsolver++", "solver_type": "midpoint", "lower_order_final": True,
    "use_karras_sigmas": True, "final_sigmas_type": "zero", "timestep_spacing": "trailing", "steps_offset": 0,
    "trained_betas": None, "thresholding": False, "of_another_version": 3,
}  # fmt: skip


def benchmark(entry):
    content = copy.deepcopy(SMOKE)
    content["samplers"]["theirs"] = entry
    return content


def sampler(entry):
    return parse_benchmark(benchmark(entry), "x.yaml").samplers["theirs"]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scheduler_config.json").write_text(json.dumps(KARRAS))
    return "scheduler_config.json"


def test_a_file_gives_what_the_sampler_is_and_check_says_what_is_left_out(diffbench, file, tmp_path):
    found = sampler({"config": file, "off_grid": "interpolate", "solver_order": 3})
    part = found.part
    assert found.name == "diffusers:DPMSolverMultistepScheduler"
    assert (part.solver_order, part.use_karras_sigmas, part.final_sigmas_type) == (3, True, "zero")
    same = {"name": found.name, "use_karras_sigmas": True, "solver_order": 3, "off_grid": "interpolate"}
    assert sampler(same).part == part
    named = benchmark({"config": file, "off_grid": "nearest"}) | {"benchmark": "of_a_file"}
    (tmp_path / "x.yaml").write_text(write_yaml(named))
    done = diffbench("check", "x.yaml", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr.count(": note: ") == 1
    assert "samplers.theirs.config: not used: num_train_timesteps, beta_start" in done.stderr
    assert "timestep_spacing, steps_offset (the timesteps are those" in done.stderr
    assert "of_another_version (no option of this sampler)" in done.stderr


@pytest.mark.parametrize("name", ["DDIMScheduler", "DPMSolverMultistepScheduler", "EulerDiscreteScheduler"])
def test_what_diffusers_saves_is_read(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    getattr(diffusers, name)().save_pretrained(tmp_path)
    assert sampler({"config": "scheduler_config.json"}).name == f"diffusers:{name}"


@pytest.mark.parametrize(
    ("change", "entry", "message"),
    [
        ({}, {}, "asks for noise levels between those that a model is trained at"),
        ({}, {"name": "ddim"}, "name: ddim, and scheduler_config.json is of diffusers:DPMSolverMultistepScheduler"),
        ({}, {"config": "none.json"}, "config: 'none.json': no such file"),
        ({}, {"config": 3}, "config: 3: no such file"),
        ({"_class_name": "DPMSolver"}, {}, "diffusers has no scheduler 'DPMSolver'"),
        ({"_class_name": None}, {}, "has no _class_name"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, {}, "cannot sample these models"),
        ({"solver_order": "two"}, {}, "solver_order: 'two' is not"),
        ({"solver_order": 2**70}, {}, "solver_order: too large"),
    ],
)
def test_a_file_that_gives_no_sampler_is_one_line(file, tmp_path, change, entry, message):
    (tmp_path / file).write_text(json.dumps(KARRAS | change))
    with pytest.raises(UserError) as caught:
        sampler({"config": file} | entry)
    said = str(caught.value)
    assert said.startswith("x.yaml: samplers.theirs") and message in said and "\n" not in said


def test_a_pasted_file_is_told_of_all_its_keys_at_once():
    pasted = {key: value for key, value in KARRAS.items() if not key.startswith("_")}
    with pytest.raises(UserError) as caught:
        sampler({"name": "diffusers:DPMSolverMultistepScheduler", **pasted})
    assert "num_train_timesteps: cannot be set here" in str(caught.value)
    assert "(nor can beta_start, beta_end, beta_schedule, prediction_type, timestep_spacing" in str(caught.value)


ODD = st.one_of(
    st.none(), st.booleans(), st.sampled_from([-1, 0, 1, 2, 4, 10**6, 10**12, 10**30]), st.floats(),
    st.text(max_size=2), st.lists(st.integers(0, 2), max_size=2), st.just({}),
)  # fmt: skip
NAMES = ["DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "UniPCMultistepScheduler", "DPMSolverSinglestepScheduler"]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from([KARRAS["_class_name"], *NAMES]), changes=st.data())
def test_an_odd_scheduler_is_made_or_refused_in_one_line(file, tmp_path, name, changes):
    saved = dict(getattr(diffusers, name)().config)
    drawn = changes.draw(st.dictionaries(st.sampled_from(sorted(saved)), ODD, min_size=1, max_size=2))
    (tmp_path / file).write_text(json.dumps(saved | drawn | {"_class_name": name}))
    try:
        sampler({"config": file, "off_grid": "interpolate"})
    except UserError as error:
        assert "\n" not in str(error)
