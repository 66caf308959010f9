"""The registry of released files: complete, of the published sizes, and in agreement with the shipped benchmarks."""

from pathlib import Path

import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.benchmark.load import load_benchmark
from diffbench.commands.importing.released import ALL, REGISTRY, listing, released
from diffbench.commands.importing.run import meaning_of_released
from diffbench.jobs.model import NetworkPart
from diffbench.jobs.train import ObjectivePart
from diffbench.stages._model import Architecture

CONFIGS = Path(__file__).parents[2] / "workflow/config"

FILES = {
    "march-2021": """imagenet64_uncond_100M_1500K imagenet64_uncond_vlb_100M_1500K imagenet64_cond_270M_250K
        cifar10_uncond_50M_500K cifar10_uncond_vlb_50M_500K lsun_uncond_100M_1200K_bs128 lsun_uncond_100M_2400K_bs64
        upsample_cond_500K""".split(),
    "jul-2021": """64x64_classifier 64x64_diffusion 128x128_classifier 128x128_diffusion 256x256_classifier
        256x256_diffusion 256x256_diffusion_uncond 512x512_classifier 512x512_diffusion 64_256_upsampler
        128_512_upsampler lsun_bedroom lsun_cat lsun_horse lsun_horse_nodropout""".split(),
}
"""Both READMEs' links."""

# Counted in the networks that the published code's own create functions return for the flags of its README.
PARAMETERS = {
    "imagenet64_uncond_100M_1500K": 121_063_942,
    "imagenet64_uncond_vlb_100M_1500K": 121_063_942,
    "imagenet64_cond_270M_250K": 273_049_350,
    "cifar10_uncond_50M_500K": 52_546_438,
    "cifar10_uncond_vlb_50M_500K": 52_546_438,
    "lsun_uncond_100M_1200K_bs128": 113_676_678,
    "lsun_uncond_100M_2400K_bs64": 113_676_678,
    "64x64_diffusion": 295_904_454,
    "128x128_diffusion": 421_529_606,
    "256x256_diffusion": 553_838_086,
    "256x256_diffusion_uncond": 552_814_086,
    "512x512_diffusion": 558_997_638,
    "64_256_upsampler": 311_795_910,
    "128_512_upsampler": 308_835_270,
    "lsun_bedroom": 552_814_086,
    "lsun_cat": 552_814_086,
    "lsun_horse": 552_814_086,
    "lsun_horse_nodropout": 552_814_086,
    "64x64_classifier": 65_438_568,
    "128x128_classifier": 42_568_040,
    "256x256_classifier": 54_096_360,
    "512x512_classifier": 54_448_360,
}


def test_every_published_file_is_there():
    host = "https://openaipublic.blob.core.windows.net/diffusion"
    expected = {f"{host}/{folder}/{name}.pt" for folder, names in FILES.items() for name in names}
    assert {item.url for item in ALL} == expected and len(REGISTRY) == len(ALL) == 23


@pytest.mark.parametrize("name", REGISTRY)
def test_networks_have_the_published_number_of_parameters(name):
    meaning = meaning_of_released(REGISTRY[name])
    architecture = Architecture.of(meaning)
    build = architecture.classifier if REGISTRY[name].kind == "classifier" else architecture.model
    with torch.device("meta"):
        network = build(meaning.facts)
    count = sum(parameter.numel() for parameter in network.parameters())
    # improved-diffusion's README says 280M of its upsampler.
    assert count == PARAMETERS[name] if name in PARAMETERS else round(count / 1e7) == 28


SILENT = {
    # heads, channels a head, new order, schedule, T, rescaled: what the issue trackers are full of.
    "imagenet64_uncond_100M_1500K": (4, None, False, "cosine", 4000, True),
    "imagenet64_uncond_vlb_100M_1500K": (4, None, False, "cosine", 4000, True),
    "imagenet64_cond_270M_250K": (4, None, False, "cosine", 4000, False),
    "cifar10_uncond_50M_500K": (4, None, False, "cosine", 4000, True),
    "cifar10_uncond_vlb_50M_500K": (4, None, False, "cosine", 4000, True),
    "lsun_uncond_100M_1200K_bs128": (1, None, False, "linear", 1000, False),
    "lsun_uncond_100M_2400K_bs64": (1, None, False, "linear", 1000, False),
    "upsample_cond_500K": (4, None, False, "linear", 4000, False),
    "64x64_diffusion": (4, 64, True, "cosine", 1000, False),
    "128x128_diffusion": (4, None, False, "linear", 1000, False),
    "256x256_diffusion": (4, 64, False, "linear", 1000, False),
    "256x256_diffusion_uncond": (4, 64, False, "linear", 1000, False),
    "512x512_diffusion": (4, 64, False, "linear", 1000, False),
    "64_256_upsampler": (4, None, False, "linear", 1000, False),
    "128_512_upsampler": (4, 64, False, "linear", 1000, False),
    "lsun_bedroom": (4, 64, False, "linear", 1000, False),
    "lsun_cat": (4, 64, False, "linear", 1000, False),
    "lsun_horse": (4, 64, False, "linear", 1000, False),
    "lsun_horse_nodropout": (4, 64, False, "linear", 1000, False),
    "64x64_classifier": (1, 64, False, "cosine", 1000, False),
    "128x128_classifier": (1, 64, False, "linear", 1000, False),
    "256x256_classifier": (1, 64, False, "linear", 1000, False),
    "512x512_classifier": (1, 64, False, "linear", 1000, False),
}


@pytest.mark.parametrize("name", REGISTRY)
def test_flags_that_load_silently(name):
    meaning = meaning_of_released(REGISTRY[name])
    network, diffusion = meaning.network.options, meaning.diffusion
    network = network.get("encoder", network)
    found = tuple(network[key] for key in ("heads", "head_channels", "new_attention_order"))
    found += tuple(diffusion[key] for key in ("schedule", "timesteps", "rescale_timesteps"))
    assert found == SILENT[name]
    assert diffusion["parameterization"] == "eps"
    labelled = REGISTRY[name].kind == "classifier" or network["class_conditional"]
    assert bool((meaning.facts.source or {})["class_order"]) == labelled
    assert meaning.weights == ("raw" if REGISTRY[name].kind == "classifier" else "ema")


@pytest.mark.parametrize(
    ("config", "entry", "name"),
    [
        ("cifar10", "iddpm", "cifar10_uncond_50M_500K"),
        ("cifar10", "iddpm_vlb", "cifar10_uncond_vlb_50M_500K"),
        ("imagenet64", "iddpm", "imagenet64_uncond_100M_1500K"),
        ("imagenet64", "iddpm_vlb", "imagenet64_uncond_vlb_100M_1500K"),
        ("imagenet64", "iddpm_cond", "imagenet64_cond_270M_250K"),
        ("imagenet64", "adm", "64x64_diffusion"),
        ("imagenet64", "noisy", "64x64_classifier"),
        ("imagenet128", "adm", "128x128_diffusion"),
        ("imagenet256", "adm", "256x256_diffusion"),
        ("imagenet256", "adm_uncond", "256x256_diffusion_uncond"),
        ("imagenet256", "noisy", "256x256_classifier"),
        ("imagenet512", "adm", "512x512_diffusion"),
        ("imagenet512", "noisy", "512x512_classifier"),
        ("imagenet256_upsampling", "upsampler", "64_256_upsampler"),
        ("imagenet512_upsampling", "upsampler", "128_512_upsampler"),
        ("lsun_bedroom", "iddpm", "lsun_uncond_100M_1200K_bs128"),
        ("lsun_bedroom", "adm", "lsun_bedroom"),
    ],
)
def test_the_shipped_benchmarks_train_what_was_released(config, entry, name):
    """Two transcriptions of the papers, made apart: every field of network, process and objective is the same."""
    benchmark = load_benchmark(CONFIGS / f"{config}.yaml")
    model = (benchmark.models | benchmark.classifiers)[entry]
    meaning = meaning_of_released(REGISTRY[name])
    spec = meaning.imported("raw").as_json()
    network = NetworkPart.of(model.network, model.network_name).plain()
    if model.network_name == "noisy_classifier":
        ours, theirs = dict(network["encoder"]), dict(spec["network"]["encoder"])
    else:
        ours, theirs = dict(network), dict(spec["network"])
        assert ObjectivePart.of(model.objective, model.objective_name).plain() == spec["objective"]
    for part in (ours, theirs):
        part["attention_resolutions"] = sorted(part["attention_resolutions"])
        # Where heads have a width, their number has no effect.
        part["heads"] = None if part["head_channels"] else part["heads"]
    assert ours == theirs
    process = {key: getattr(model.diffusion, key) for key in spec["diffusion"]}
    if model.network_name == "noisy_classifier":
        process["variance"] = spec["diffusion"]["variance"]
    assert process == spec["diffusion"]


def test_the_list_says_everything():
    text = listing()
    for item in ALL:
        assert f"{item.name}: " in text and item.url in text
    block = next(part for part in text.split("\n\n") if part.startswith("64x64_diffusion:"))
    for word in (
        "use_new_attention_order True",
        "num_head_channels 64",
        "noise_schedule cosine",
        "WordNet ids, sorted",
    ):
        assert word in block
    assert "channel_mult 0.5,1,1,2,2,4,4" in text and "not published" in block


def test_a_name_that_does_not_exist():
    assert released("64x64_diffusion.pt") is released("64x64_diffusion")
    with pytest.raises(UserError, match="did you mean '64x64_diffusion'"):
        released("64x64_difusion")
