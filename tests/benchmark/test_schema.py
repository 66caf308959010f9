"""The schema of a benchmark's file against the loader: it accepts what the loader accepts, and refuses slips as it does."""

import copy
import json
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffbench.base.errors import UserError
from diffbench.benchmark.load import parse_benchmark
from diffbench.benchmark.schema import config_schema
from diffbench.benchmark.yaml_file import read_yaml
from diffbench.commands.schema.run import FILES, SCHEMAS, schema_text

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "workflow/config").glob("*.yaml"))
SMOKE = read_yaml(ROOT / "workflow/config/smoke.yaml")
VALIDATOR = jsonschema.Draft202012Validator(config_schema())


def changed(*changes):
    """Return the smoke benchmark with values put at places."""
    content = copy.deepcopy(SMOKE)
    for place, value in changes:
        held = content
        for key in place[:-1]:
            held = held[key]
        held[place[-1]] = copy.deepcopy(value)
    return content


def loads(content):
    try:
        parse_benchmark(copy.deepcopy(content), "a file")
    except UserError:
        return False
    return True


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_one_and_ships_up_to_date(name):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name]())
    assert (ROOT / "schemas" / FILES[name]).read_text() == schema_text(name), "run `diffbench schema --out schemas`"


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_file_fits_the_schema_that_its_first_line_names(file):
    first = file.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    schema = (file.parent / first.partition("=")[2]).resolve()
    assert schema == ROOT / "schemas" / FILES["config"]
    assert [error.message for error in VALIDATOR.iter_errors(read_yaml(file))] == []


SLIPS = {
    "an unknown section": [(("sampler",), {})],
    "a missing section": None,
    "a benchmark's name": [(("benchmark",), "a b")],
    "a dataset's name": [(("dataset",), "digit")],
    "a dataset's key": [(("dataset", "flipp"), True)],
    "a dataset without its path": [(("dataset",), {"name": "folder"})],
    "a model's key": [(("models", "ddpm", "shedule"), "linear")],
    "a model's name": [(("models", "real"), {})],
    "a model's word": [(("models", "iddpm", "schedule"), "cosin")],
    "a network's key": [(("models", "ddpm", "network", "chanels"), 8)],
    "a network's key below a base": [(("models", "adm", "network", "chanels"), 8)],
    "a network's type below a base": [(("models", "adm", "network", "head_channels"), "8")],
    "a network's list": [(("models", "ddpm", "network", "attention_resolutions"), 4)],
    "a classifier as a model": [(("models", "ddpm", "network"), "noisy_classifier")],
    "a share": [(("models", "ddpm", "network", "dropout"), 1.0)],
    "an objective": [(("models", "ddpm", "objective"), "simpel")],
    "an objective's option": [(("models", "iddpm", "objective"), {"name": "hybrid", "vlb_wait": 1})],
    "a nested option": [(("models", "iddpm", "objective"), {"name": "vlb", "loss_aware": {"histery": 3}})],
    "a training's key": [(("models", "ddpm", "training", "step"), 3)],
    "a training's type": [(("models", "ddpm", "training", "steps"), 1.5)],
    "no steps of training": [(("models", "ddpm", "training", "steps"), 0)],
    "an annealing": [(("classifiers", "noisy", "training", "annealing"), "cosinus")],
    "a key beside of": [(("models", "adm_g", "network"), {})],
    "a guidance": [(("models", "adm_g", "guidance"), "classifyer")],
    "a guidance's key": [(("models", "adm_g", "guidance", "skale"), 1)],
    "a guidance's type": [(("models", "adm_g", "guidance", "scale"), "1")],
    "labels": [(("models", "adm_g", "labels"), "idd")],
    "weights": [(("models", "ddpm", "weights"), None)],
    "a size": [(("models", "adm_low", "size"), "4")],
    "low resolution": [(("models", "adm_u", "low_res", "stepz"), 3)],
    "a checkpoint's key": [(("models", "ddpm", "checkpoint"), {"path": "x", "keyy": "y"})],
    "a classifier's key": [(("classifiers", "noisy", "variance"), "fixed_small")],
    "a classifier's network": [(("classifiers", "noisy", "network"), "unet")],
    "an encoder's key": [(("classifiers", "noisy", "network", "encoder", "chanels"), 8)],
    "no classifiers": [(("classifiers",), None)],
    "a sampler that its key does not name": [(("samplers", "mine"), {})],
    "a sampler's key": [(("samplers", "ddim", "etta"), 0)],
    "a sampler's type": [(("samplers", "ddim", "eta"), True)],
    "a sampler's range": [(("samplers", "ddim", "eta"), 2)],
    "a sampler's grid": [(("samplers", "ddim", "spacing"), 10)],
    "a sampler off the grid": [(("samplers", "ddim", "off_grid"), "nearst")],
    "a sampler as a name": [(("samplers", "ddim"), "ddim")],
    "sampling's key": [(("sampling", "clip_x0"), True)],
    "sampling's word": [(("sampling", "rounding"), "floor")],
    "a bound's key": [(("bound", "timestep"), 8)],
    "a bound's split": [(("bound", "splits"), ["test", "val"])],
    "too few terms": [(("bound", "timesteps"), 1)],
    "a protocol": [(("protocols", "digits", "name"), "classifer")],
    "a protocol's key": [(("protocols", "digits", "metric"), ["fid"])],
    "a metric": [(("protocols", "digits", "metrics"), ["fit"])],
    "no metric": [(("protocols", "digits", "metrics"), [])],
    "a metric's setting": [(("protocols", "digits", "settings"), {"kid": {"subset": 3}})],
    "a setting's type": [(("protocols", "digits", "settings"), {"kid": {"subsets": "3"}})],
    "a reference": [(("protocols", "digits", "reference"), "val")],
    "an extractor": [(("extractors",), {"mine": "digit_features"})],
    "an extractor's key": [(("extractors",), {"classifier": {"widht": 8}})],
    "a run's key": [(("runs", 0, "step"), [4])],
    "a run's type": [(("runs", 0, "steps"), 4)],
    "a run without protocols": [(("runs", 0, "protocols"), [])],
    "a run of one image": [(("runs", 0, "num_images"), 1)],
    "no runs": [(("runs",), [])],
    "execution's key": [(("execution", "thread"), 1)],
    "execution's device": [(("execution", "device"), "gpu")],
    "no threads": [(("execution", "threads"), 0)],
    "a grid's key": [(("grids",), {"g": {"base": "ddpm"}})],
    "a grid's word": [
        (("grids",), {"g": {"base": "ddpm", "parameterization": "epsilon", "objective": "simple", "variance": "fixed_small", "schedule": "linear"}})
    ],
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_refused_by_both(slip):
    changes = SLIPS[slip]
    content = changed(*changes) if changes is not None else {k: v for k, v in SMOKE.items() if k != "runs"}
    assert not VALIDATOR.is_valid(content)
    assert not loads(content)


OWN_NETWORK = """
from dataclasses import dataclass

from diffbench.networks.unet import Unet


@dataclass(frozen=True)
class OwnUnet(Unet):
    own_option: int = 1
"""
GRID = {"base": None, "parameterization": ["eps", "x_0"], "objective": "simple", "variance": "fixed_small", "schedule": ["linear"]}  # fmt: skip
UNET = SMOKE["models"]["ddpm"]["network"]
FORMS = {
    "a data set by its name": [(("dataset",), "digits")],
    "a model of defaults": [(("models", "papers"), None)],
    "an entry without a base": [(("models", "ddpm", "base"), None)],
    "a network by its name": [(("models", "papers"), {"network": "unet", "training": None})],
    "a network of null": [(("models", "papers"), {"network": None})],
    "a network of your own": [(("models", "ddpm", "network"), {"name": "diffbench.networks.unet.Unet", **UNET})],
    "options of a network of your own below a base": [
        (("models", "ddpm", "network"), {"name": "own_network.OwnUnet", **UNET}),
        (("models", "iddpm", "network"), {"own_option": 3}),
        (("models", "adm", "network"), {"name": "unet", **UNET, "class_conditional": True}),
        (("models", "upsampler"), {**SMOKE["models"]["upsampler"], "network": {"name": "super_resolution"}}),
    ],
    "an objective below a base": [(("models", "iddpm", "objective"), {"name": "hybrid"}), (("models", "adm", "objective"), {"vlb_weight": 0.1})],
    "an objective with options": [(("models", "iddpm", "objective"), {"name": "vlb", "loss_aware": {"history": 3}})],
    "a guidance below a base": [(("models", "adm_g2"), {"base": "adm_g", "guidance": {"scale": 3}})],
    "low resolution below a base": [(("models", "adm_u2"), {"base": "adm_u", "low_res": {"steps": 3}})],
    "nulls": [(("models", "ddpm", "size"), None), (("models", "ddpm", "labels"), None), (("models", "ddpm", "guidance"), None), (("models", "ddpm", "checkpoint"), None), (("sampling",), None), (("execution",), None), (("extractors",), None)],
    "a sampler of null": [(("samplers", "ddim"), None)],
    "a sampler under another name": [(("samplers", "mine"), {"name": "ddim", "eta": 1, "spacing": "quadratic"})],
    "a sampler of your own": [(("samplers", "mine"), {"name": "diffbench.samplers.ddim.Ddim", "eta": 0.5})],
    "a sampler by a dotted key": [(("samplers", "diffbench.samplers.ddim.Ddim"), {"eta": 0.5})],
    "a sampler between levels": [(("samplers", "heun"), {"spacing": "karras rho=5", "off_grid": "interpolate"})],
    "a protocol of null": [(("protocols", "digits"), None)],
    "a protocol by its name": [(("protocols", "digits"), "classifier")],
    "a protocol's settings": [(("protocols", "digits", "settings"), {"kid": {"subsets": 2, "subset_size": 20}, "fid": {}})],
    "a metric of your own": [(("protocols", "digits", "metrics"), ["fid", "diffbench.metrics.kid.Kid"])],
    "extractors": [(("extractors",), {"digits_features": None, "spare": {"name": "random_features", "dimensions": 8}, "classifier": {"steps": 5}})],
    "no extractors": [(("extractors",), {})],
    "a grid": [(("grids",), {"g": GRID})],
    "whole numbers as numbers": [(("models", "ddpm", "training", "learning_rate"), 1), (("models", "ddpm", "network", "channel_multipliers"), [1, 1.5])],
    "a run of a comparison": [(("runs", 1, "in_table"), False), (("runs", 1, "guidance_scales"), [])],
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_form_that_the_loader_accepts_fits_the_schema(form, tmp_path, monkeypatch):
    (tmp_path / "own_network.py").write_text(OWN_NETWORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    content = changed(*FORMS[form])
    assert [error.message for error in VALIDATOR.iter_errors(content)] == []
    parse_benchmark(copy.deepcopy(content), "a file")


def places(content, path=()):
    """Yield the path of every value of a file."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


@cache
def pool():
    """Return the values that shipped files have under each key, as JSON."""
    found: dict[str, set[str]] = {}
    for file in SHIPPED:
        content = read_yaml(file)
        for path in places(content):
            value = content
            for key in path:
                value = value[key]
            found.setdefault(str(path[-1]), set()).add(json.dumps(value))
    return {key: sorted(values) for key, values in found.items()}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_the_loader_accepts_fits_the_schema(data):
    """A value is replaced by one that another shipped file has under the same key, or by an odd one."""
    path = data.draw(st.sampled_from(list(places(SMOKE))))
    alike = [json.loads(value) for value in pool()[str(path[-1])]]
    odd = [None, True, 0, 1, 1.5, "", "x", [], {}, [0], {"name": "ddim"}]
    content = changed((path, data.draw(st.sampled_from(alike) | st.sampled_from(odd))))
    if loads(content):
        assert [error.message for error in VALIDATOR.iter_errors(content)] == []
