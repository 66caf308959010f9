"""The papers' benchmarks without their data: parameters to the last one, and every job in the plan."""

from pathlib import Path

import pytest
import torch

from diffbench.base.sizes import shrunk_shape
from diffbench.benchmark.jobs import train_classifier_job, train_job
from diffbench.benchmark.load import load_benchmark
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.models import plan_models
from diffbench.commands.plan.run import job_counts

ROOT = Path(__file__).parents[2]

# Counted in the networks that improved-diffusion's and guided-diffusion's own create_model functions return for the
# flags of the released checkpoints; beside each, what the papers' tables print.
PARAMETERS = {
    "cifar10": {"ddpm": (35_746_307, "35.7M"), "iddpm": (52_546_438, None), "iddpm_vlb": (52_546_438, None)},
    "imagenet64": {
        "iddpm": (121_063_942, None),
        "iddpm_cond": (273_049_350, None),
        "adm": (295_904_454, "296M"),
        "noisy": (65_438_568, "65M"),
    },
    "imagenet128": {"adm": (421_529_606, "422M"), "noisy": (42_568_040, "43M")},
    "imagenet256": {"adm": (553_838_086, "554M"), "adm_uncond": (552_814_086, None), "noisy": (54_096_360, "54M")},
    "imagenet512": {"adm": (558_997_638, "559M"), "noisy": (54_448_360, "54M")},
    "imagenet256_upsampling": {"upsampler": (311_795_910, "312M")},
    "imagenet512_upsampling": {"upsampler": (308_835_270, "309M")},
    "lsun_bedroom": {"iddpm": (113_676_678, None), "adm": (552_814_086, None)},
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_equal_the_published_codes_and_round_to_the_papers(name):
    benchmark = load_benchmark(ROOT / f"workflow/config/{name}.yaml")
    height, width, channels = benchmark.dataset.shape
    num_classes = benchmark.dataset.num_classes
    found = {}
    with torch.device("meta"):
        for key, model in benchmark.models.items():
            shape = shrunk_shape((channels, height, width), model.size)
            found[key] = model.network.build(shape, num_classes, model.diffusion.learns_variance)
        for key, classifier in benchmark.classifiers.items():
            shape = shrunk_shape((channels, height, width), classifier.size)
            found[key] = classifier.network.build(shape, num_classes)
    for key, (exact, printed) in PARAMETERS[name].items():
        count = sum(parameter.numel() for parameter in found[key].parameters())
        assert count == exact, key
        if printed is not None:
            digits = 1 if "." in printed else 0
            assert f"{count / 1e6:.{digits}f}M" == printed


@pytest.mark.slow
@pytest.mark.parametrize("name", PARAMETERS)
def test_the_plan_counts_every_job(name):
    benchmark = load_benchmark(ROOT / f"workflow/config/{name}.yaml")
    height, width, channels = benchmark.dataset.shape
    known = Known((channels, height, width), benchmark.dataset.num_classes, benchmark.dataset.published_images, True)
    plans = plan_models(benchmark, known)
    trained = benchmark.trained_models() + benchmark.trained_classifiers()
    assert [item.name for item in plans] == [f"{model} seed {seed}" for model, seed in trained]
    assert all(item.flops > 1e9 and item.train_evaluations > 1e7 for item in plans)
    assert job_counts(benchmark, known)["train"] == len(trained)


@pytest.mark.parametrize("name", [name for name in PARAMETERS if name.startswith("imagenet")])
def test_classifiers_are_trained_on_random_crops_as_published(name):
    benchmark = load_benchmark(ROOT / f"workflow/config/{name}.yaml")
    for classifier, seed in benchmark.trained_classifiers():
        job = train_classifier_job(benchmark, classifier, seed)
        spec = job.as_json()
        assert spec["training"]["random_crop"] and spec["dataset"]["name"] == "imagenet"
        assert "diffbench.datasets.imagenet" in job.modules(), "how pictures are read is part of what is trained"
    assert benchmark.trained_classifiers()
    for model, seed in benchmark.trained_models():
        assert "dataset" not in train_job(benchmark, model, seed).as_json()
