"""Grids: what a product makes, what of it is left out and why, and one line for everything that is wrong with it."""

import copy

import pytest
import yaml

from diffbench.benchmark.load import parse_benchmark

SMALL = yaml.safe_load("""
benchmark: small
dataset: {name: digits}
models:
  narrow: {network: {channels: 8, channel_multipliers: [1], norm_groups: 4}, timesteps: 100, training: {steps: 10}}
  aware: {base: eps-vlb-learned_range-linear, objective: {name: vlb, loss_aware: {history: 5}}}
grids:
  all:
    base: narrow
    parameterization: [eps, x_0, mu, v]
    objective: [simple, vlb, hybrid]
    variance: [fixed_small, fixed_large, learned_range]
    schedule: [linear, cosine]
  diagonal: {base: narrow, parameterization: [eps, v], objective: [simple, vlb, hybrid], variance: learned_diagonal, schedule: linear}
samplers:
  ancestral: {}
protocols:
  digits: {extractor: digits_features}
runs:
  - {models: [all, aware], samplers: [ancestral], steps: [10], num_images: 20, protocols: [digits]}
  - {models: [diagonal], samplers: [ancestral], steps: [100], num_images: 20, protocols: [digits]}
""")


def parsed(change=lambda content: None):
    content = copy.deepcopy(SMALL)
    change(content)
    return parse_benchmark(content, "small.yaml")


def in_grid(**changes):
    """Return the change of one grid, whose model no other then rests on."""

    def change(content):
        content["grids"]["all"].update(changes)
        del content["models"]["aware"]
        content["runs"][0]["models"] = ["all"]

    return change


def test_every_combination_is_a_model_or_left_out_with_its_reason():
    benchmark = parsed()
    made = set(benchmark.models) - {"narrow", "aware"}
    assert len(made) + len(benchmark.left_out) == 4 * 3 * 3 * 2 + 2 * 3 and not made & set(benchmark.left_out)
    for name in (*made, *benchmark.left_out):
        _, objective, variance, _ = name.split("-")
        learns = variance.startswith("learned")
        makes_sense = {"simple": not learns, "hybrid": learns, "vlb": True}[objective]
        assert (name in made) == makes_sense
    assert benchmark.left_out["v-simple-learned_range-cosine"] == (
        "objective simple trains no variance: use fixed_small or fixed_large, not learned_range"
    )
    assert benchmark.left_out["mu-hybrid-fixed_small-linear"] == (
        "objective hybrid learns a variance: use variance learned_range, not fixed_small"
    )


def test_a_model_of_a_grid_is_its_base_with_four_keys():
    model = parsed().models["x_0-hybrid-learned_range-cosine"]
    diffusion = model.diffusion
    assert (diffusion.parameterization, diffusion.variance, diffusion.schedule) == ("x_0", "learned_range", "cosine")
    assert (model.objective_name, diffusion.timesteps, model.training.steps) == ("hybrid", 100, 10)


def test_a_run_of_a_grid_is_a_run_of_its_models_and_a_model_may_rest_on_one():
    benchmark = parsed()
    assert benchmark.runs[0].models == (
        *(n for n in benchmark.models if n.count("-") == 3 and "diagonal" not in n),
        "aware",
    )
    assert benchmark.runs[1].models == tuple(
        f"{form}-{objective}-learned_diagonal-linear" for form in ("eps", "v") for objective in ("vlb", "hybrid")
    )
    assert benchmark.models["aware"].objective.loss_aware.history == 5
    facts = benchmark.ablations()
    assert facts["aware"] == {
        "parameterization": "eps",
        "objective": "vlb",
        "t_drawn": "loss_aware",
        "variance": "learned_range",
        "schedule": "linear",
        "timesteps": "100",
    }
    assert facts["mu-simple-fixed_small-cosine"]["t_drawn"] == "uniform" and "narrow" not in facts


def test_grids_may_overlap():
    def change(content):
        content["grids"]["again"] = content["grids"]["all"] | {"objective": "vlb"}
        content["runs"][0]["models"] = ["all", "again"]

    assert parsed(change).runs[0].models == tuple(n for n in parsed().runs[0].models if n != "aware")


WRONG = {
    "misspelt axis": (in_grid(objectives="vlb"), "grids.all: unknown key 'objectives'; did you mean 'objective'?"),
    "missing axis": (lambda content: content["grids"]["all"].pop("schedule"), "grids.all: 'schedule' is missing"),
    "misspelt value": (in_grid(schedule="cosin"), "grids.all: eps-simple-fixed_small-cosin.schedule: 'cosin' is not allowed; did you mean 'cosine'?"),
    "misspelt objective": (in_grid(objective=["vbl"]), "grids.all: eps-vbl-fixed_small-linear.objective: no objective 'vbl'; did you mean 'vlb'?"),
    "misspelt base": (in_grid(base="narow"), "base: no model 'narow'; did you mean 'narrow'?"),
    "no value": (in_grid(variance=[]), "grids.all.variance: must be one or more different names"),
    "twice": (in_grid(variance=["fixed_large", "fixed_large"]), "grids.all.variance: must be one or more different names"),
    "no name": (in_grid(schedule=[3]), "grids.all.schedule: 3 is not a name"),
    "a map": (in_grid(objective={"name": "vlb"}), "grids.all.objective: {'name': 'vlb'} is not a name, or a list of names"),
    "no map": (lambda content: content["grids"].update(all=3), "grids.all: must be a map of base, parameterization"),
    "no grids": (lambda content: content.update(grids=[]), "grids: must be a map of named entries"),
    "a model's name": (lambda content: content["grids"].update(narrow=content["grids"]["all"]), "grids.narrow: there is a model of that name"),
    "another base": (lambda content: content["grids"]["diagonal"].update(base="aware", variance="learned_range"), "grids.diagonal: eps-simple-learned_range-linear is there already, of another base"),
    "nothing left": (in_grid(objective="hybrid", variance="fixed_large"), "grids.all: no combination is left; objective hybrid learns a variance"),
    "left out, in a run": (lambda content: content["runs"][0].update(models=["eps-simple-learned_range-linear"]), "runs[0].models: eps-simple-learned_range-linear: objective simple trains no variance: use fixed_small or"),
    "a diagonal on fewer steps": (lambda content: content["runs"][1].update(steps=[50]), "runs[1].steps: eps-vlb-learned_diagonal-linear with ancestral: variance learned_diagonal is of the training chain's own steps; sample with all 100, or use learned_range"),
    "loss-aware history": (lambda content: content["models"]["aware"]["objective"].update(loss_aware={"history": 0}), "models.aware.objective.loss_aware: history must be positive, not 0"),
    "loss-aware key": (lambda content: content["models"]["aware"]["objective"].update(loss_aware={"histroy": 3}), "models.aware.objective.loss_aware: unknown key 'histroy'; did you mean 'history'?"),
    "loss-aware as a word": (lambda content: content["models"]["aware"]["objective"].update(loss_aware=True), "models.aware.objective.loss_aware: True is not a map (LossAware)"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_one_line_that_names_file_and_key(change, message, refused):
    refused(lambda: parsed(change), message)
