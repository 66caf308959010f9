"""Samples of a model from Python: the workflow's bytes for every kind of model, samplers of one's own, and errors."""

import contextlib
import shutil
import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

import diffbench
from diffbench import State
from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.images import truncated
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.places import remember_configuration
from diffbench.samplers.ddim import Ddim

ROWS = {
    "ddpm/ancestral/3": {"sampler": "ancestral", "steps": 3},
    "ddpm/analytic/3": {"sampler": "analytic", "steps": 3},
    "iddpm/ddim/3": {"sampler": "ddim", "steps": 3},
    "iddpm/edm/3": {"sampler": "edm", "steps": 3},
    "adm/ancestral/3": {"sampler": "ancestral", "steps": 3},
    "adm_g/ancestral/3": {"sampler": "ancestral", "steps": 3},
    "adm_g@4/ancestral/3": {"sampler": "ancestral", "steps": 3, "guidance_scale": 4},
    "adm_low/ddim/2": {"sampler": "ddim", "steps": 2},
    "adm_u/ancestral/3": {"sampler": "ancestral", "steps": 3},
    "upsampled_real/ancestral/3": {"sampler": "ancestral", "steps": 3},
}
"""A row of each kind of model and of sampler, and what is asked of the model for it."""


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@dataclass(frozen=True)
class Mine:
    """DDIM's step, written out; a class that only this test knows."""

    order: ClassVar[int] = 1
    startup_order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = False
    applies_gradient: ClassVar[bool] = False

    def __call__(self, denoiser, chain, x_T, noise):
        x = x_T
        for i in range(len(chain)):
            here, there = chain.level(i), chain.level(i + 1)
            ratio = there.sigma / here.sigma
            x_0 = denoiser(x, here).x_0
            x = ratio * x + (there.alpha - ratio * here.alpha) * x_0
            yield State(there, x, x_0)


@pytest.mark.parametrize("row", ROWS)
def test_the_first_images_are_those_of_the_workflows_set(results, row, capsys):
    before, files = results.samples(row), files_of(results.path)
    model = results.model(row.partition("/")[0].partition("@")[0])
    for count in (5, 25):
        found = model.sample(count, **ROWS[row])
        assert found.dtype == np.uint8 and np.array_equal(found, before[:count])
    assert files_of(results.path) == files, "nothing is written into the tree"
    assert "step/s" not in capsys.readouterr().err, "a bar is only for long work"


def test_another_seed_is_the_set_of_that_seed(results):
    model = results.model("ddpm")
    other = results._tree.sets_of("ddpm")
    (file,) = (item.file for item in other if (item.sampler, item.sample_seed) == ("ancestral", 1))
    found = model.sample(30, sampler="ancestral", steps=3, seed=1)
    assert np.array_equal(found, np.load(file)["arr_0"])
    assert not np.array_equal(found, results.samples("ddpm/ancestral/3"))


def test_a_cascade_without_the_smaller_images_makes_them(results, home, tmp_path):
    """The set of smaller images is gone, as after a pull of weights alone: it is drawn again, with the same bytes."""
    shutil.copytree(home, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy/results/samples/adm_low")
    found = diffbench.open(tmp_path / "copy").model("adm_u").sample(5, sampler="ancestral", steps=3)
    assert np.array_equal(found, results.samples("adm_u/ancestral/3")[:5])


def test_labels_are_those_asked_for(results):
    model = results.model("adm")
    own = model.labels(30)
    stored = np.load(results._tree.sets_of("adm")[0].file)["arr_1"]
    assert np.array_equal(own, stored)
    walk = {"sampler": "ancestral", "steps": 3}
    assert np.array_equal(model.sample(30, labels=own, **walk), results.samples("adm/ancestral/3"))
    threes = model.sample(4, labels=3, **walk)
    assert np.array_equal(threes, model.sample(4, labels=[3, 3, 3, 3], **walk))
    assert not np.array_equal(threes, model.sample(4, labels=4, **walk))
    assert results.model("iddpm").labels(4) is None


def test_labels_of_a_cascade_are_those_of_its_smaller_images(results):
    model = results.model("adm_u")
    own = model.labels(30)
    assert np.array_equal(own, np.load(results._tree.sets_of("adm_u")[0].file)["arr_1"])
    walk = {"sampler": "ancestral", "steps": 3}
    assert np.array_equal(model.sample(6, labels=own[:6], **walk), results.samples("adm_u/ancestral/3")[:6])
    assert not np.array_equal(model.sample(6, labels=3, **walk), model.sample(6, labels=4, **walk))


@pytest.mark.parametrize("mine", [Mine, Mine(), "a_notebook.Mine"])
def test_a_sampler_of_ones_own_needs_no_file(results, mine, monkeypatch):
    monkeypatch.setitem(sys.modules, "a_notebook", sys.modules[Mine.__module__])
    found = results.model("iddpm").sample(5, sampler=mine, steps=3)
    off = found.astype(int) - results.samples("iddpm/ddim/3")[:5]
    assert abs(off).max() <= 1, "the same step in another order of operations"


def test_a_sampler_with_options_and_one_of_the_package(results):
    model = results.model("iddpm")
    plain = model.sample(5, sampler="ddim", steps=3)
    assert np.array_equal(plain, model.sample(5, sampler="ddim eta=0.0", steps=3))
    assert not np.array_equal(plain, model.sample(5, sampler="ddim eta=0.5", steps=3))
    assert not np.array_equal(plain, model.sample(5, sampler="ddim", steps=3, spacing="quadratic"))
    heun = model.sample(5, sampler="heun", steps=3, spacing="karras rho=5", off_grid="interpolate")
    assert np.array_equal(heun, results.samples("iddpm/edm/3")[:5])


@pytest.mark.slow
def test_an_adaptive_sampler_takes_no_number_of_steps(results):
    model = results.model("iddpm")
    found = model.sample(2, sampler="probability_flow", off_grid="interpolate")
    assert found.shape == (2, 8, 8, 1)
    with pytest.raises(UserError, match="^steps: probability_flow chooses its own; leave them out$"):
        model.sample(2, sampler="probability_flow", steps=10, off_grid="interpolate")


def test_the_settings_of_the_notebook_are_kept(results):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        torch.use_deterministic_algorithms(False)
        results.model("iddpm").sample(2, sampler="ddim", steps=3)
        assert torch.get_num_threads() == 2 and not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(threads)


def test_the_parts_make_the_same_samples(results):
    model = results.model("iddpm")
    with torch.no_grad():
        x = diffbench.sample(
            Ddim(),
            model.denoiser(),
            model.chain(3),
            index=range(5),
            shape=model.facts.image_shape,
            seed=0,
            micro_batch=20,
        )
    assert np.array_equal(truncated(x), results.samples("iddpm/ddim/3")[:5])
    assert len(model.chain()) == 1000 and len(model.chain(7, spacing="karras rho=7")) == 7
    assert repr(model.denoiser()) == "denoiser of iddpm, x_0 clipped to [-1, 1]"
    assert model.parameters == sum(value.numel() for value in model.network.parameters())
    info = model.info
    assert info["sha256"] == sha256(info["file"]) and info["shape"] == [8, 8, 1] and info["network"]["channels"] == 8
    assert info["training"]["steps"] == 4
    assert repr(model) == f"Model('iddpm', train_seed=0: 8x8x1 images, {model.parameters:,} parameters)"
    assert "takes labels and a guidance scale" in repr(results.model("adm_g"))


def test_weights_alone_are_enough(results, home, tmp_path):
    """A folder that holds only the weights of a model: it is sampled with default settings."""
    shutil.copytree(home / "results/models/iddpm", tmp_path / "results/models/iddpm")
    found = diffbench.open(tmp_path).model("iddpm").sample(2, sampler="ddim", steps=3)
    # The default micro-batch is another one, on which the last bits depend.
    assert abs(found.astype(int) - results.samples("iddpm/ddim/3")[:2]).max() <= 1


WALK = {"sampler": "ddim", "steps": 3}


class Undeclared:
    def __call__(self, denoiser, chain, x_T, noise):
        yield State(chain.level(len(chain)), x_T, x_T)


@dataclass(frozen=True)
class Diverging(Mine):
    def __call__(self, denoiser, chain, x_T, noise):
        yield State(chain.level(len(chain)), x_T / 0, x_T)


@pytest.mark.parametrize(
    ("model", "asked", "said"),
    [
        ("iddpm", {"sampler": "ddmi", "steps": 3}, "sampler 'ddmi': no sampler 'ddmi'; did you mean 'ddim'?"),
        ("iddpm", {"sampler": "ddim eat=1", "steps": 3}, "unknown key 'eat'; did you mean 'eta'?"),
        ("iddpm", {"sampler": 3, "steps": 3}, "sampler int: has no order"),
        ("iddpm", {"sampler": Undeclared(), "steps": 3}, "sampler Undeclared: has no order, startup_order, stochastic"),
        ("iddpm", {"sampler": Diverging, "steps": 3}, "step 0 returned values that are not finite"),
        ("iddpm", {"sampler": "edm spacing=karras off_grid=refuse", "steps": 3}, "off_grid: interpolate"),
        ("iddpm", {"sampler": "dpmpp_2s", "steps": 3}, "off_grid: interpolate"),
        ("iddpm", {"sampler": Mine, "steps": 3, "spacing": "karras"}, "off_grid: interpolate"),
        ("iddpm", {"sampler": "ddim"}, "steps: say how many ddim is to take"),
        ("iddpm", {"sampler": "ddim", "steps": 2000}, "2000 steps asked of a chain of 1000; allowed: 2 to 1000"),
        ("iddpm", {"sampler": "ddim", "steps": 2.5}, "steps: 2.5 is not a whole number"),
        ("iddpm", WALK | {"labels": 3}, "labels: this model takes none"),
        (
            "iddpm",
            WALK | {"guidance_scale": 2.0},
            "guidance_scale: iddpm has no guidance, so leave it out; guided models here: adm_g",
        ),
        ("iddpm", WALK | {"seed": -1}, "seed: must be at least 0, not -1"),
        ("iddpm", WALK | {"device": "gpu"}, "device gpu: is not allowed; allowed: auto, cpu, cuda"),
        ("iddpm", WALK | {"num_images": 0}, "num_images: must be at least 1, not 0"),
        ("adm", WALK | {"labels": [1, 2]}, "labels: 2 for 4 images; give one for each"),
        ("adm", WALK | {"labels": 10}, "labels: 10 is no class of this data; they are 0 to 9"),
        ("adm", WALK | {"labels": "three"}, "labels: 'three' is neither a whole number"),
        ("adm_g", WALK | {"guidance_scale": "much"}, "guidance_scale: 'much' is not a number"),
        ("upsampler", WALK, "is an upsampler alone, without images to enlarge; sample one"),
        ("upsampled_real", WALK | {"labels": 3}, "labels: upsampled_real enlarges real images"),
        ("upsampled_real", WALK | {"num_images": 501}, "500 images, and 501 are to be upsampled; ask for fewer"),
        ("adm_g", {"sampler": "analytic_ancestral", "steps": 3}, "needs the error of x_0, which is measured unguided"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(results, model, asked, said):
    with pytest.raises(UserError) as caught:
        results.model(model).sample(**{"num_images": 4} | asked)
    assert said in str(caught.value) and "\n" not in str(caught.value) and "--" not in str(caught.value)


def test_damaged_or_other_weights_are_refused(home, tmp_path):
    shutil.copytree(home, tmp_path / "copy")
    models = tmp_path / "copy/results/models"
    with pytest.raises(UserError, match="no model 'idpm'; did you mean 'iddpm'"):
        diffbench.open(tmp_path / "copy").model("idpm")
    with pytest.raises(UserError, match="no iddpm of train_seed 3; there is 0"):
        diffbench.open(tmp_path / "copy").model("iddpm", train_seed=3).sample(2, **WALK)
    for name in ("weights.safetensors", "weights.safetensors.json"):
        shutil.copy2(models / "ddpm/train0" / name, models / "iddpm/train0" / name)
    with pytest.raises(UserError, match="was made from other settings, code or data than this job asks for"):
        diffbench.open(tmp_path / "copy").model("iddpm").sample(2, **WALK)
    (models / "ddpm/train0/weights.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match="is not what its record says"):
        diffbench.open(tmp_path / "copy").model("ddpm").sample(2, **WALK)


def test_weights_from_elsewhere_are_found_by_the_benchmarks_file(results, home, tmp_path, making):
    """A checkpoint outside of the results, which no record names by a path."""
    shutil.copytree(home / "results/models/iddpm/train0", tmp_path / "theirs")
    config, place = tmp_path / "own.yaml", tmp_path / "runs/own"
    config.write_text(
        "benchmark: own\ndataset: {name: digits}\nmodels: {m: {checkpoint: theirs/weights.safetensors}}\n"
        "samplers: {ddim: {}}\nprotocols: {digits: {extractor: digits_features}}\nsampling: {micro_batch: 20}\n"
        "runs: [{models: [m], samplers: [ddim], steps: [3], num_images: 30, protocols: [digits]}]\n"
    )
    place.mkdir(parents=True)
    with contextlib.chdir(place):
        making(load_benchmark(config), place).samples()
    own = diffbench.open(place)
    with pytest.raises(UserError, match="was made from weights outside of .*own/results, and no benchmark's file says"):
        own.model("m").sample(3, **WALK)
    remember_configuration(place, config)
    found = diffbench.open(place).model("m").sample(3, **WALK)
    assert np.array_equal(found, own.samples("m/ddim/3")[:3])
    assert np.array_equal(found, results.samples("iddpm/ddim/3")[:3])


def test_a_scale_of_guidance_that_no_set_here_has_is_asked_for(copy):
    """Sets at other scales alone do not say which one is the model's own."""
    shutil.rmtree(copy / "samples" / "adm_g")
    model = diffbench.open(copy).model("adm_g")
    with pytest.raises(UserError, match="guidance_scale: say which one; .* the sets here are adm_g@4"):
        model.sample(2, sampler="ancestral", steps=3)
    assert model.sample(2, sampler="ancestral", steps=3, guidance_scale=2.0).shape[0] == 2
