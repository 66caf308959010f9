"""A benchmark's file: what it means, and one line for everything that is wrong with it."""

import copy
import re
from pathlib import Path

import pytest
import yaml

from diffbench.base.errors import UserError
from diffbench.benchmark.jobs import bound_job, train_job
from diffbench.benchmark.load import load_benchmark, merged, parse_benchmark, resolved_models

CONFIGS = sorted((Path(__file__).parents[2] / "workflow/config").glob("*.yaml"))

SMALL = yaml.safe_load("""
benchmark: small
dataset: {name: digits}
models:
  ddpm:
    network: {channels: 16, channel_multipliers: [1, 2], attention_resolutions: [4], norm_groups: 8}
    timesteps: 100
    variance: fixed_large
    objective: simple
    training: {steps: 10, learning_rate: 1.0e-3}
  iddpm: {base: ddpm, schedule: cosine, variance: learned_range, objective: hybrid, training: {steps: 20}}
samplers:
  ancestral: {}
  ddim: {eta: 0.5}
  strided: {name: ddim, spacing: ddim}
  sections: {name: ancestral, spacing: "1,3"}
protocols:
  digits: {extractor: digits_features}
runs:
  - {models: [ddpm, iddpm], samplers: [ancestral, ddim], steps: [5, 10], num_images: 20, protocols: [digits]}
""")


def parsed(change=lambda content: None):
    content = copy.deepcopy(SMALL)
    change(content)
    return parse_benchmark(content, "small.yaml")


def setting(*path, value):
    def change(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_benchmark_that_ships_is_valid(path):
    benchmark = load_benchmark(path)
    assert benchmark.name == path.stem and benchmark.sample_sets()


def test_another_parts_options_are_not_kept():
    base = {"objective": {"name": "hybrid", "vlb_weight": 0.1}, "network": {"channels": 8}}
    assert merged(base, {"objective": {"name": "vlb"}})["objective"] == {"name": "vlb"}
    assert merged(base, {"objective": {"vlb_weight": 1}})["objective"] == {"name": "hybrid", "vlb_weight": 1}
    network = {"name": "super_resolution", "channels": 8}
    assert merged(base, {"network": {"name": "super_resolution"}})["network"] == network


def test_base_is_merged_by_key():
    iddpm = parsed().models["iddpm"]
    assert iddpm.training.steps == 20 and iddpm.training.learning_rate == 1e-3
    assert iddpm.diffusion.timesteps == 100 and iddpm.diffusion.schedule == "cosine"
    assert (iddpm.objective_name, iddpm.network) == ("hybrid", parsed().models["ddpm"].network)


def test_merging_nests_maps_and_replaces_the_rest():
    base = {"a": {"x": 1, "y": {"z": 1}}, "b": [1, 2], "c": 3, "d": {"k": 1}}
    over = {"a": {"y": {"w": 2}}, "b": [9], "c": {"k": 1}, "d": None, "e": 5}
    found = merged(base, over)
    assert found == {"a": {"x": 1, "y": {"z": 1, "w": 2}}, "b": [9], "c": {"k": 1}, "d": None, "e": 5}
    assert base == {"a": {"x": 1, "y": {"z": 1}}, "b": [1, 2], "c": 3, "d": {"k": 1}}


def test_base_of_a_base():
    found = resolved_models({"c": {"base": "b", "z": 3}, "b": {"base": "a", "y": 2}, "a": {"x": 1, "y": 1}})
    assert found == {"a": {"x": 1, "y": 1}, "b": {"x": 1, "y": 2}, "c": {"x": 1, "y": 2, "z": 3}}


def test_rows_in_the_order_of_the_file():
    benchmark = parsed(setting("runs", 0, "sample_seeds", value=[0, 1]))
    rows = benchmark.sample_sets()
    assert len(rows) == 16 and len(set(rows)) == 16
    assert [(row.model, row.sampler, row.steps, row.sample_seed) for row in rows[:3]] == [
        ("ddpm", "ancestral", 5, 0),
        ("ddpm", "ancestral", 5, 1),
        ("ddpm", "ancestral", 10, 0),
    ]
    assert benchmark.trained_models() == [("ddpm", 0), ("iddpm", 0)]


def test_runs_that_overlap_share_rows_and_join_protocols():
    def change(content):
        content["protocols"]["other"] = {"extractor": "digits_features", "k": 5}
        content["runs"].append(content["runs"][0] | {"models": ["ddpm"], "protocols": ["other"]})

    rows = parsed(change).sample_sets()
    assert len(rows) == 8
    assert rows[0].protocols == ("digits", "other") and rows[-1].protocols == ("digits",)


def test_jobs_hold_what_decides_their_result_and_nothing_else(sampled):
    benchmark = parsed()
    train = train_job(benchmark, "iddpm", 3)
    assert train.as_json()["seed"] == 3 and train.as_json()["diffusion"]["variance"] == "learned_range"
    assert train.as_json()["objective"] == {"name": "hybrid", "vlb_weight": 0.001, "loss_aware": None}
    assert train.modules() == ("diffbench.stages.train", "diffbench.networks.unet", "diffbench.objectives.hybrid")
    sample = sampled(benchmark, "iddpm", "ddim", 5)
    assert sample.as_json()["sampler"] == {"name": "ddim", "eta": 0.5}
    assert [sample.as_json()[name] for name in ("spacings", "seed", "num_images")] == [["5"], 1, 20]
    assert "training" not in sample.as_json() and "objective" not in sample.as_json()
    assert sampled(benchmark, "ddpm", "strided", 5).as_json()["spacings"] == ["ddim5"]
    assert sampled(benchmark, "ddpm", "sections", 4).as_json()["spacings"] == ["1,3"]
    other = parsed(setting("samplers", "ddim", "eta", value=0.0))
    assert train_job(other, "iddpm", 3) == train
    assert sampled(other, "iddpm", "ancestral", 5) == sampled(benchmark, "iddpm", "ancestral", 5)


def test_an_adaptive_sampler_has_one_row_where_others_have_one_for_each_number_of_steps(sampled):
    adaptive = {"name": "probability_flow", "off_grid": "interpolate"}
    benchmark = parsed(setting("samplers", "ddim", value=adaptive))
    rows = [(row.sampler, row.steps) for row in benchmark.sample_sets() if row.model == "ddpm"]
    assert rows == [("ancestral", 5), ("ancestral", 10), ("ddim", 0)]
    spec = sampled(benchmark, "ddpm", "ddim", 0).as_json()
    assert (spec["spacings"], spec["off_grid"]) == ([""], "interpolate")


def test_time_grids_with_options_reach_the_job(sampled):
    entry = {"name": "heun", "spacing": "karras rho=5", "off_grid": "nearest"}
    benchmark = parsed(setting("samplers", "ddim", value=entry))
    spec = sampled(benchmark, "ddpm", "ddim", 10).as_json()
    assert (spec["spacings"], spec["off_grid"]) == (["karras10 rho=5"], "nearest")


def run(**changes):
    return setting("runs", 0, value=SMALL["runs"][0] | changes)


WRONG = {
    "unknown key": (setting("modles", value={}), "unknown key 'modles'; did you mean 'models'?"),
    "missing section": (lambda content: content.pop("runs"), "'runs' is missing"),
    "model key": (setting("models", "ddpm", "shedule", value="linear"), "models.ddpm: unknown key 'shedule'; did you mean 'schedule'?"),
    "network key": (setting("models", "ddpm", "network", "chanels", value=8), "models.ddpm.network: unknown key 'chanels'; did you mean 'channels'?"),
    "inherited key": (setting("models", "iddpm", "training", "step", value=8), "models.iddpm.training: unknown key 'step'; did you mean 'steps'?"),
    "sampler key": (setting("samplers", "ddim", "eat", value=0), "samplers.ddim: unknown key 'eat'; did you mean 'eta'?"),
    "a key of before": (setting("execution", value={"group_steps": True}), "execution: unknown key 'group_steps'; allowed: activation_checkpointing, checkpoint_every, device, micro_batch, processes, sharded, threads"),
    "run key": (run(step=[1]), "runs[0]: unknown key 'step'; did you mean 'steps'?"),
    "sampling key": (setting("sampling", value={"rouding": "round"}), "sampling: unknown key 'rouding'; did you mean 'rounding'?"),
    "text for a number": (setting("models", "ddpm", "training", "learning_rate", value="1e-3"), "models.ddpm.training.learning_rate: '1e-3' is not a number"),
    "number for a list": (setting("models", "ddpm", "network", "attention_resolutions", value=4), "models.ddpm.network.attention_resolutions: 4 is not a list"),
    "text for a list": (run(models="ddpm"), "runs[0].models: 'ddpm' is not a list"),
    "fraction for a count": (run(steps=[5.5]), "runs[0].steps[0]: 5.5 is not a whole number"),
    "value": (setting("models", "iddpm", "schedule", value="cosin"), "models.iddpm.schedule: 'cosin' is not allowed; did you mean 'cosine'?"),
    "weights": (setting("models", "ddpm", "weights", value="emma"), "models.ddpm.weights: 'emma' is not allowed; allowed: ema, raw"),
    "range": (setting("samplers", "ddim", "eta", value=1.5), "samplers.ddim: eta must be between 0 and 1, not 1.5"),
    "misspelt sampler entry": (setting("samplers", "dimm", value={}), "samplers.dimm: no sampler 'dimm'; did you mean 'ddim'?"),
    "misspelt sampler in a run": (run(samplers=["dimm"]), "runs[0].samplers: no sampler 'dimm'; did you mean 'ddim'?"),
    "misspelt model in a run": (run(models=["dpm"]), "runs[0].models: no model 'dpm'; did you mean 'ddpm'?"),
    "misspelt protocol in a run": (run(protocols=["digit"]), "runs[0].protocols: no protocol 'digit'; did you mean 'digits'?"),
    "misspelt dataset": (setting("dataset", value="digit"), "dataset: no dataset 'digit'; did you mean 'digits'?"),
    "misspelt objective": (setting("models", "ddpm", "objective", value="simpel"), "models.ddpm.objective: no objective 'simpel'; did you mean 'simple'?"),
    "misspelt extractor": (setting("protocols", "digits", "extractor", value="digit_features"), "protocols.digits.extractor: no extractor 'digit_features'; did you mean 'digits_features'?"),
    "misspelt metric": (setting("protocols", "digits", "metrics", value=["fdi"]), "protocols.digits.metrics: no metric 'fdi'; did you mean 'fid'?"),
    "own module missing": (setting("samplers", "mine", value={"name": "no_such_lab.Mine"}), "samplers.mine: cannot import 'no_such_lab' for 'no_such_lab.Mine'"),
    "too many steps": (run(steps=[5, 101]), "runs[0].steps: ddpm with ancestral: 101 steps asked of a chain of 100; allowed: 2 to 100"),
    "no steps": (run(steps=[0]), "runs[0].steps: ddpm with ancestral: 0 steps asked"),
    "impossible stride": (run(samplers=["strided"], steps=[60]), "runs[0].steps: ddpm with strided: spacing 'ddim60': no integer stride"),
    "sections of other length": (run(samplers=["sections"]), "runs[0].steps: ddpm with sections: spacing '1,3' takes 4 steps, not 5"),
    "spacing": (setting("samplers", "ddim", "spacing", value="quadratc"), "spacing 'quadratc5' does not exist; did you mean 'quadratic'?"),
    "spacing that is no text": (setting("samplers", "ddim", "spacing", value=5), "samplers.ddim.spacing: 5 is not a text; write uniform"),
    "spacing's option": (setting("samplers", "ddim", value={"spacing": "karras roh=5", "off_grid": "nearest"}), "unknown option 'roh'; allowed: rho, sigma_min, sigma_max"),
    "levels between without a rule": (setting("samplers", "ddim", "spacing", value="karras"), "samplers.ddim: spacing karras has noise levels between those that a model is trained at; say which timestep stands for them: off_grid: interpolate"),
    "a sampler between levels without a rule": (setting("samplers", "ddim", value={"name": "dpm_solver"}), "samplers.ddim: dpm_solver asks for noise levels between"),
    "mu between levels": (lambda content: (content["models"]["ddpm"].update(parameterization="mu"), content["samplers"].update(ddim={"name": "heun", "off_grid": "nearest"})), "mu-prediction and a learned diagonal variance mean nothing between"),
    "error of x_0 without its bound": (lambda content: (content.update(bound={"splits": ["test"]}), content["samplers"].update(ddim={"name": "analytic_ancestral"})), "analytic_ancestral needs the bound of training images; add train to bound.splits"),
    "an adaptive sampler's grid": (setting("samplers", "ddim", value={"name": "probability_flow", "spacing": "karras", "off_grid": "nearest"}), "samplers.ddim.spacing: probability_flow chooses its own steps"),
    "error of x_0, unclipped": (lambda content: (content.update(sampling={"clip_x_0": False}), content["samplers"].update(ddim={"name": "analytic_ancestral"})), "measured unguided and clipped"),
    "off_grid": (setting("samplers", "ddim", "off_grid", value="nearst"), "samplers.ddim.off_grid: 'nearst' is not allowed; did you mean 'nearest'?"),
    "hybrid without variance": (setting("models", "iddpm", "variance", value="fixed_small"), "models.iddpm: objective hybrid learns a variance: use variance learned_range, not fixed_small"),
    "simple with variance": (setting("models", "ddpm", "variance", value="learned_range"), "models.ddpm: objective simple trains no variance"),
    "cycle": (setting("models", "ddpm", "base", value="iddpm"), "base goes in a circle"),
    "own base": (setting("models", "ddpm", "base", value="ddpm"), "models.ddpm: base goes in a circle (ddpm -> ddpm)"),
    "misspelt base": (setting("models", "iddpm", "base", value="dpm"), "models.iddpm.base: no model 'dpm'; did you mean 'ddpm'?"),
    "schedule too short": (setting("models", "ddpm", "timesteps", value=10), "schedule linear with 10 timesteps has a beta of 2"),
    "runs that disagree": (lambda content: content["runs"].append(content["runs"][0] | {"num_images": 30}), "runs: ddpm with ancestral at 5 steps is asked for 20 and for 30 images"),
    "empty list": (run(samplers=[]), "runs[0].samplers: must not be empty"),
    "one image": (run(num_images=1), "runs[0].num_images: 1 is too few"),
    "reserved name": (setting("models", "real", value={"base": "ddpm"}), "models: 'real' cannot be a name"),
    "name that is a path": (setting("samplers", "a/b", value={"name": "ddim"}), "samplers: 'a/b' cannot be a name"),
    "name of the benchmark": (setting("benchmark", value="a-b"), "benchmark: 'a-b' is not a name"),
    "runs no list": (setting("runs", value={}), "runs: must be a list of runs"),
    "run no map": (setting("runs", value=[3]), "runs[0]: must be a map"),
    "models no map": (setting("models", value=[1]), "models: must be a map of named entries"),
    "network no map": (setting("models", "ddpm", "network", value=3), "models.ddpm.network: 3 is neither a name nor a map"),
    "sampler no map": (setting("samplers", "ddim", value=3), "samplers.ddim: 3 is not a map of options"),
    "micro batch": (setting("sampling", value={"micro_batch": 0}), "sampling: micro_batch must be positive, not 0"),
    "training no map": (setting("models", "ddpm", "training", value=3), "models.ddpm.training"),
    "sampling no map": (setting("sampling", value=3), "sampling"),
    "sampling an empty list": (setting("sampling", value=[]), "sampling: [] is not a map of options"),
    "training zero": (setting("models", "ddpm", "training", value=0), "models.ddpm.training: 0 is not a map of options"),
    "a batch for three": (setting("execution", value={"processes": 3}), "training.batch_size: 3 processes cannot share"),
    "no process": (setting("execution", value={"processes": 0}), "execution: processes must be positive, not 0"),
    "weights of one": (setting("execution", value={"sharded": True}), "execution: sharded: true needs processes above 1"),
    "execution false": (setting("execution", value=False), "execution: False is not a map of options"),
    "extractors an empty text": (setting("extractors", value=""), "extractors: must be a map of named entries"),
    "sampler an empty list": (setting("samplers", "ddim", value=[]), "samplers.ddim: [] is not a map of options"),
    "base no name": (setting("models", "iddpm", "base", value=["ddpm"]), "models.iddpm.base"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_one_line_that_names_file_and_key(change, message, refused):
    refused(lambda: parsed(change), message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: 1\nb: 2\na: 3\n", "line 3: key 'a' is written twice"),
        (b"models:\n  x: {steps: 1, steps: 2}\n", "line 2: key 'steps' is written twice"),
        (b"a: [1,\n", "not YAML"),
        (b"a: !!python/object:os.system x\n", "tags mean nothing here"),
        (b"", "a benchmark is a map"),
        (b"- 1\n", "a benchmark is a map"),
        (b"{[a]: 1}\n", "line 1"),
        (b"\xff\xfe\x00", "not "),
    ],
)
def test_a_file_that_is_no_benchmark_is_one_line(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_bytes(text)
    with pytest.raises(UserError) as caught:
        load_benchmark(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ") and message in said and "\n" not in said


def test_a_path_that_no_file_has_names_the_benchmark(tmp_path):
    path = tmp_path / "b.yaml"
    path.write_text("dataset: {name: folder, path: ~no_such_user/x}\n")
    with pytest.raises(UserError, match=rf"^{path}: ~no_such_user/x: no user of that name"):
        load_benchmark(path)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read \(No such file or directory\)"):
        load_benchmark(tmp_path / "none.yaml")


def test_a_chain_of_one_step_is_refused_since_it_would_start_at_the_cleanest_level():
    with pytest.raises(UserError, match="1 steps asked of a chain of 100; allowed: 2 to 100"):
        parsed(run(steps=[1]))


ENTRIES = {
    "models": {"base": "ddpm"},
    "samplers": {"name": "ddim"},
    "protocols": {"extractor": "digits_features"},
    "extractors": {"name": "digits_features"},
    "classifiers": {},
    "grids": {},
}


@pytest.mark.parametrize("section", ENTRIES)
@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../../x", "-x", ".x", "a/b", "x" * 65, "real", "x@2", "it's", 'x"', "x\n", "$(id)", "{x}", 3],
)
def test_names_that_are_no_folders_are_refused(section, name):
    with pytest.raises(UserError) as caught:
        parsed(lambda content: content.setdefault(section, {}).update({name: ENTRIES[section]}))
    said = str(caught.value)
    assert said.startswith(f"small.yaml: {section}: ") and "cannot be a name" in said and len(said) < 200


@pytest.mark.parametrize("name", ["", "..", "a/b", "a.b", "x" * 65, "a b", "a\n", "\u00e9", 3, None])
def test_a_benchmarks_name_is_a_folders(name):
    with pytest.raises(UserError, match="is not a name of letters, digits and underscores"):
        parsed(setting("benchmark", value=name))


def test_an_extractor_that_a_protocol_names_is_a_name_too():
    with pytest.raises(UserError, match=r"protocols.digits.extractor: '../x' cannot be a name"):
        parsed(setting("protocols", "digits", value={"extractor": "../x"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setting("models", "ddpm", "network", "residual_blocks", value=10**12), "more than 512 blocks are not built"),
        (setting("models", "ddpm", "network", "channel_multipliers", value=[1] * 600), "more than 512 blocks"),
        (setting("models", "ddpm", "network", "channels", value=16 * 10**9), "more than 65536 are not built"),
        (setting("models", "ddpm", "network", "channel_multipliers", value=[1, 1e9]), "more than 65536 are not built"),
        (setting("models", "ddpm", "timesteps", value=10**12), "timesteps must be at most 1000000"),
        (setting("models", "ddpm", "training", "steps", value=10**30), "too large; whole numbers are below 2^63"),
        (setting("models", "ddpm", "training", "learning_rate", value=10**400), "too large"),
        (setting("sampling", value={"micro_batch": 10**9}), "sampling: micro_batch must be at most 65536"),
        (setting("bound", value={"micro_batch": 10**9}), "bound: micro_batch must be at most 65536"),
        (setting("runs", 0, "sample_seeds", value=list(range(2_000))), "rows; at most 5000 are made by one benchmark"),
    ],
)
def test_sizes_that_would_fill_the_memory_are_one_line(change, message):
    with pytest.raises(UserError) as caught:
        parsed(change)
    assert message in str(caught.value)


def test_fewer_images_than_a_metric_needs_are_refused():
    with pytest.raises(UserError, match="4 is too few; this protocol's metric precision needs at least 5"):
        parsed(run(num_images=4))


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ({"metrics": ["sfid"]}, "sfid needs features 'spatial', the extractor has pool, logits"),
        ({"name": "clean_fid", "extractor": "inception"}, "resizes by 'clean', the extractor by 'tf1'"),
        ({"reference": "val"}, "allowed: train, test, or a path of an .npz"),
        ({"name": "torch_fidelity"}, "20 is too few; this protocol's metric kid needs at least 1000"),
    ],
)
def test_protocols_that_cannot_be_had_are_refused(protocol, message):
    with pytest.raises(UserError, match=re.escape(message)):
        parsed(setting("protocols", "digits", value=protocol))


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        ({"splits": ["train"]}, r"bound: splits must be \[test\] or \[test, train\], not \[train\]"),
        ({"splits": ["test", "valid"]}, r"bound.splits\[1\]: 'valid' is not allowed; allowed: test, train"),
        ({"reconstructions": 0}, "bound: reconstructions must be positive, not 0"),
    ],
)
def test_a_bound_is_of_test_images_and_shows_some(bound, message):
    with pytest.raises(UserError, match=f"^small.yaml: {message}$"):
        parsed(lambda content: content.update(bound=bound))


def test_a_bounds_job_does_not_know_of_the_other_split():
    one, both = (
        parsed(lambda content, s=s: content.update(bound={"splits": s})) for s in (["test"], ["test", "train"])
    )
    assert bound_job(one, "ddpm", "test") == bound_job(both, "ddpm", "test")
    test, train = (bound_job(both, "ddpm", split).as_json() for split in ("test", "train"))
    assert (test["split"], test["bound"]["reconstructions"]) == ("test", 8)
    assert (train["split"], train["bound"]["reconstructions"]) == ("train", 0)


def guided_only(content):
    content["models"]["adm"] = {"base": "ddpm", "network": {"class_conditional": True, "null_label": True}}
    content["models"]["adm"]["training"] = {"label_dropout": 0.1}
    content["models"]["adm_g"] = {"of": "adm", "guidance": {"name": "classifier_free", "scale": 1.0}}
    content["runs"] = [content["runs"][0] | {"models": ["adm_g"]}]


def guided_by(metrics):
    def change(content):
        guided_only(content)
        content["runs"].append(content["runs"][0] | {"models": ["ddpm"]})
        content["protocols"]["digits"]["metrics"] = metrics

    return change


def test_a_protocol_may_name_any_metrics():
    for metrics in (["density", "coverage"], ["kid"], ["classified"]):
        assert parsed(guided_by(metrics)).protocols["digits"][1].metrics == tuple(metrics)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (run(num_images=2000, sample_seeds=list(range(400))), "split the runs over two benchmarks"),
        (run(samplers=["ddim"], steps=[2], train_seeds=list(range(300))), "split the runs over two benchmarks"),
    ],
)  # fmt: skip
def test_what_would_fail_at_the_last_job_is_refused_before_the_first(change, message):
    with pytest.raises(UserError) as caught:
        parsed(change)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "change", [setting("protocols", "digits", "metrics", value=["precision"]), guided_by(["recall"])]
)
def test_scores_other_than_fid_make_a_table(change):
    assert parsed(change).sample_sets()


def test_a_validation_loss_is_in_the_job_only_if_it_is_asked_for():
    plain, asked = parsed(lambda content: content.pop("validation", None)), parsed(setting("validation", value={}))
    assert "validation" not in train_job(plain, "ddpm", 0).as_json()
    with_it = train_job(asked, "ddpm", 0).as_json()
    assert with_it.pop("validation") == {"every": 500, "timesteps": 8, "num_images": 512}
    assert with_it == train_job(plain, "ddpm", 0).as_json()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"evry": 5}, r"validation: unknown (key|option) 'evry'"),
        ({"every": 0}, "validation: every must be positive, not 0"),
        ({"num_images": 1}, "validation: num_images must be at least 2, not 1: a standard error needs two"),
        ({"timesteps": 5000}, r"validation\.timesteps: 5000 is more than the \d+ timesteps of models\.ddpm"),
        (5, "validation"),
    ],
)
def test_a_wrong_validation_is_one_line(entry, message):
    with pytest.raises(UserError, match=message):
        parsed(setting("validation", value=entry))
