"""`diffbench bench`: numbers that follow from each other, a history, and turns with a stand-in for guided-diffusion."""

import json
import os
import re
from pathlib import Path

import pytest

from diffbench.base.numerics import Numerics
from diffbench.commands.bench.history import entries, since_last
from diffbench.commands.bench.measured import Measured
from diffbench.commands.bench.timing import Times, in_turn

BENCHMARK = """
benchmark: tiny
dataset: {name: digits}
models:
  iddpm:
    network: {channels: 32, channel_multipliers: [1, 2], residual_blocks: 1, attention_resolutions: [4], heads: 2}
    timesteps: 20
    schedule: cosine
    variance: learned_range
    objective: hybrid
    training: {steps: 10, batch_size: 8, ema_decay: 0.99}
  small:
    base: iddpm
    network: {channels: 8, norm_groups: 4}
samplers: {ancestral: {}}
sampling: {micro_batch: 10}
bound: {timesteps: 4, num_images: 40}
protocols: {digits: {extractor: digits_features}}
runs:
  - {models: [iddpm, small], samplers: [ancestral], steps: [5], num_images: 40, protocols: [digits]}
"""

CHECKOUT = {
    "__init__": "",
    "logger": """
class Logger:
    def __init__(self, dir, output_formats):
        assert output_formats == []
""",
    "unet": """
from diffbench.networks.unet import Unet

def UNetModel(*, image_size, in_channels, model_channels, out_channels, num_res_blocks, attention_resolutions, dropout,
              channel_mult, num_classes, use_fp16, num_heads, num_head_channels, use_scale_shift_norm, resblock_updown,
              use_new_attention_order):
    sizes = tuple(image_size // factor for factor in attention_resolutions)
    network = Unet(model_channels, channel_mult, num_res_blocks, sizes, heads=num_heads)
    return network.build((in_channels, image_size, image_size), None, out_channels > in_channels)
""",
    "script_util": """
class Diffusion:
    def training_losses(self, model, x, t, model_kwargs):
        return {"loss": model(x, t.float(), **model_kwargs).square().mean((1, 2, 3))}

    def p_sample(self, model, x, t, clip_denoised, model_kwargs):
        return {"sample": model(x, t.float(), **model_kwargs)[:, :1].clamp(-1, 1)}

def create_gaussian_diffusion(*, steps, learn_sigma, sigma_small, noise_schedule, use_kl, predict_xstart,
                              rescale_timesteps, rescale_learned_sigmas):
    assert (steps, learn_sigma, noise_schedule, rescale_learned_sigmas) == (20, True, "cosine", True)
    return Diffusion()
""",
    "fp16_util": """
class MixedPrecisionTrainer:
    def __init__(self, model, use_fp16):
        self.master_params = list(model.parameters())

    def zero_grad(self):
        for parameter in self.master_params:
            parameter.grad = None

    def backward(self, loss):
        loss.backward()

    def optimize(self, optimiser):
        optimiser.step()
        return True
""",
    "nn": """
def update_ema(average, parameters, rate):
    for one, other in zip(average, parameters):
        one.detach().mul_(rate).add_(other, alpha=1 - rate)
""",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(BENCHMARK)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A stand-in with the names of guided-diffusion that are used."""
    package = tmp_path / "checkout" / "guided_diffusion"
    package.mkdir(parents=True)
    for name, text in CHECKOUT.items():
        (package / f"{name}.py").write_text(text)
    return package.parent


def test_all_parts_with_numbers_that_follow_from_each_other(diffbench, config, tmp_path):
    done = diffbench("bench", config, "--seconds", 0, "--images", 30, "--json", "h.jsonl", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (entry,) = entries(tmp_path / "h.jsonl")
    found = {(one["part"], one["of"]): one for one in entry["measured"]}
    assert {part for part, _ in found} == {"train", "sample", "extract", "score"}
    assert {("train", "iddpm"), ("sample", "small"), ("extract", "digits_features"), ("score", "fid")} <= set(found)
    ceiling = entry["ceilings_tflops"]["float32"]
    for one in found.values():
        assert one["images_per_second"] == pytest.approx(one["batch"] / one["seconds"])
        assert one["tflops"] * 1e12 == pytest.approx(one["images_per_second"] * one["flop_per_image"])
        assert one["peak_memory_mib"] > 50
        if one["flop_per_image"]:
            assert one["share_of_ceiling"] == pytest.approx(one["tflops"] / ceiling)
    assert (found["train", "iddpm"]["batch"], found["sample", "iddpm"]["batch"]) == (8, 10)
    assert found["score", "fid"]["detail"] == "30 to 30 x 64"
    # A training step is three forward passes, and ancestral sampling evaluates the network once a step.
    assert found["train", "iddpm"]["flop_per_image"] == 3 * found["sample", "iddpm"]["flop_per_image"]
    assert found["sample", "iddpm"]["flop_per_image"] == flops_of_iddpm()
    rows = [line for line in done.stdout.splitlines() if re.match(r"(train|sample|extract|score) ", line)]
    assert len(rows) == len(found)
    assert re.search(
        r"^train +iddpm +model +float32 +8 +[\d.,]+ ms +[\d.,]+ +[\d.]+ [GM] +\d+% +[\d,]+ MiB$", done.stdout, re.M
    )
    assert "no earlier run of this machine" in done.stdout


def flops_of_iddpm() -> int:
    from diffbench.networks._flops import flops_per_row
    from diffbench.networks.unet import Unet

    network = Unet(32, (1, 2), 1, (4,), heads=2).build((1, 8, 8), None, True)
    return flops_per_row(network, (1, 8, 8), conditional=False)


def test_a_history_shows_what_became_slower(diffbench, config, tmp_path):
    history = tmp_path / "h.jsonl"
    asked = ("bench", config, "--part", "sample", "--model", "small", "--seconds", 0, "--json", history)
    assert diffbench(*asked, cwd=tmp_path).returncode == 0
    entry = json.loads(history.read_text())
    for one in entry["measured"]:
        one["images_per_second"] *= 10
        one["seconds_quartiles"] = [one["seconds"] / 10, one["seconds"] / 9]
    history.write_text(json.dumps(entry) + "\n")
    done = diffbench(*asked, cwd=tmp_path)
    assert done.returncode == 0
    assert re.search(
        r"since \S+: REGRESSION: sample small: [\d.,]+ instead of [\d.,]+ images/s, 0\.\d\d times", done.stdout
    )
    assert done.stdout.endswith(f"added to {history}, run 2\n") and len(entries(history)) == 2
    # Settings that differ are not compared, and a damaged history stays as it is.
    done = diffbench(*asked, "--batch", 3, "--channels-last", cwd=tmp_path)
    assert "no earlier run" in done.stdout
    history.write_text(history.read_text() + '{"date": 1}\n')
    done = diffbench(*asked, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith(f"diffbench: {history}, line 4: not a line of")
    assert len(history.read_text().splitlines()) == 4


def made_entry(seconds: tuple[float, ...], **changes) -> dict:
    one = Measured("train", "iddpm", "model", Numerics(), 8, Times(seconds), flop=10.0)
    entry = {"date": "today", "benchmark": "tiny", "machine": {"processor": "x"}, "versions": {"torch": "2"}}
    return json.loads(json.dumps(entry | {"measured": [one.as_json()]} | changes))


def test_a_run_is_compared_with_the_last_like_it():
    now = made_entry((2.0, 2.1, 2.2))
    assert "REGRESSION: train iddpm" in since_last([made_entry((1.0, 1.1, 1.2))], now)[0]
    assert "none of 1" in since_last([made_entry((1.0, 1.1, 1.2)), made_entry((1.99, 2.0, 2.1))], now)[0]
    # Three rounds that scatter widely do not show that anything is slower.
    assert "none of 1" in since_last([made_entry((0.5, 1.9, 5.0))], now)[0]
    for changes in ({"machine": {"processor": "y"}}, {"versions": {"torch": "3"}}, {"benchmark": "b"}):
        assert since_last([made_entry((1.0, 1.1, 1.2), **changes)], now)[0].startswith("no earlier run")


def test_rounds_take_turns():
    order: list[str] = []
    ours, theirs = in_turn(lambda: order.append("A") or 1.0, lambda: order.append("B") or 2.0, seconds=0, fewest=4)
    assert "".join(order) == "ABABABAB" and (ours.median, theirs.median) == (1.0, 2.0)


def test_turns_with_a_checkout(diffbench, config, checkout, tmp_path):
    asked = ("bench", config, "--part", "train,sample", "--seconds", 0, "--against", checkout, "--json", "h.jsonl")
    done = diffbench(*asked, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for part in ("train iddpm, batch 8", "sample iddpm, batch 10"):
        assert re.search(
            rf"^{part}, float32: \d+\.\d+ of guided-diffusion's time \(middle half of 3 pairs: ", done.stdout, re.M
        )
    assert "against small: not measured: its norm_groups is 4, and guided-diffusion's is 32" in done.stdout
    (entry,) = entries(tmp_path / "h.jsonl")
    for one in entry["against_guided_diffusion"]:
        low, high = one["ratio_quartiles"]
        assert low <= one["ratio"] <= high and one["pairs"] == 3
    # Equal weights must give equal outputs.
    network = checkout / "guided_diffusion/unet.py"
    network.write_text(network.read_text().replace("heads=num_heads", "heads=1"))
    done = diffbench(*asked, cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(r"its network differs from iddpm's by \S+ of the largest output", done.stderr)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--against", "."),
            r"--against \.: not a checkout of guided-diffusion, for it has no guided_diffusion/unet\.py",
        ),
        (("--model", "idpm"), r"--model idpm: no run of this benchmark uses it; did you mean 'iddpm'"),
        (("--part", "trian"), r"--part trian: not known; did you mean 'train'"),
        (("--precision", "fp16"), r"--precision fp16: not known; "),
        (("--precision", "tf32", "--device", "cpu"), r"precision tf32: is a way of NVIDIA GPUs"),
        (("--json", "folder"), r"--json folder: cannot be written \(Is a directory\)"),
    ],
)
def test_a_mistake_is_one_line(diffbench, config, tmp_path, arguments, said):
    (tmp_path / "folder").mkdir()
    done = diffbench("bench", config, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.match(rf"diffbench: {said}", done.stderr) and done.stderr.count("\n") == 1


def test_a_damaged_checkout_is_one_line(diffbench, config, checkout, tmp_path):
    (checkout / "guided_diffusion/nn.py").write_text("import a_package_that_is_not_there\n")
    done = diffbench("bench", config, "--against", checkout, cwd=tmp_path)
    assert done.returncode == 2 and "cannot be imported (ModuleNotFoundError" in done.stderr
    (checkout / "guided_diffusion/nn.py").write_text("")
    done = diffbench("bench", config, "--against", checkout, cwd=tmp_path)
    assert done.returncode == 2 and "guided_diffusion.nn has no update_ema" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif("DIFFBENCH_GUIDED_DIFFUSION" not in os.environ, reason="names no checkout of guided-diffusion")
def test_turns_with_the_published_code(diffbench, config, tmp_path):
    path = os.environ["DIFFBENCH_GUIDED_DIFFUSION"]
    done = diffbench("bench", config, "--part", "train,sample", "--seconds", 0, "--against", path, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("of guided-diffusion's time") == 2
