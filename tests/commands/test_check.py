"""`diffbench check` finds before any work what fails after it: one line with file, key, mistake and way out."""

import copy

import numpy as np
import pytest
import yaml
from PIL import Image

from diffbench.benchmark.places import remember_configuration

BENCHMARK = yaml.safe_load("""
benchmark: small
dataset: {name: folder, path: pictures, channels: 1}
models:
  m:
    network: {channels: 8, channel_multipliers: [1, 2], residual_blocks: 1, attention_resolutions: [], heads: 1, norm_groups: 8}
    timesteps: 100
    training: {steps: 3, batch_size: 8, warmup_steps: 0}
samplers: {ddim: {}}
protocols: {p: {name: classifier, extractor: digits_features, metrics: [fid]}}
bound: {timesteps: 4, num_images: 10, reconstructions: 2}
runs: [{models: [m], samplers: [ddim], steps: [2], num_images: 10, protocols: [p]}]
""")
FITTED = {"name": "classifier", "extractor": "classifier", "metrics": ["fid"]}


def put(root, counts, size=8, channels=1):
    """Write random pictures into folders: {"train/a": 20}."""
    draws = np.random.default_rng(0)
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for k in range(count):
            pixels = draws.integers(0, 256, (size, size, 3)[: 2 if channels == 1 else 3], np.uint8)
            Image.fromarray(pixels).save(root / name / f"{k:03d}.png")


@pytest.fixture
def checked(diffbench, tmp_path):
    """checked({"dotted.key": value}) -> what `diffbench check` of the changed benchmark ended with."""

    def called(changes=None, name="small.yaml"):
        content = copy.deepcopy(BENCHMARK)
        for place, value in (changes or {}).items():
            at, (*keys, last) = content, place.split(".")
            for key in keys:
                at = at[int(key)] if isinstance(at, list) else at[key]
            at[last] = value
        (tmp_path / name).write_text(yaml.safe_dump(content))
        return diffbench("check", name, cwd=tmp_path)

    return called


def refused(done, said):
    """Whether a check ended with one line and exit code 2."""
    return done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1 and said in done.stderr


def test_a_benchmark_that_suits_its_pictures_passes(checked, tmp_path):
    put(tmp_path / "pictures", {"train": 20, "test": 10})
    done = checked()
    assert done.returncode == 0 and "benchmark small, 1 models" in done.stdout
    assert [line.split(": ", 1)[1][:30] for line in done.stderr.splitlines()] == [
        "train: 20 pictures",
        "test: 10 pictures",
        "note: protocols.p: fid of 10 i",
    ]


SHAPES = [
    (
        32,
        3,
        {},
        "protocols.p.extractor: digits_features takes grey images of 8x8, and these are 32x32 in colour; choose",
    ),
    (8, 3, {}, "protocols.p.extractor: digits_features takes grey images of 8x8, and these are 8x8 in colour"),
    (72, 1, {"protocols.p": FITTED}, "protocols.p.extractor: classifier takes square images of 8 to 64 pixels"),
    (9, 1, {}, "models.m.network: images of 9x9 cannot be halved 1 times"),
]


@pytest.mark.parametrize(("size", "channels", "changes", "said"), SHAPES)
def test_images_that_the_extractor_or_the_network_does_not_take(checked, tmp_path, size, channels, changes, said):
    put(tmp_path / "pictures", {"train/a": 70, "test/a": 5, "train/b": 70, "test/b": 5}, size, channels)
    assert refused(checked({"dataset.channels": channels} | changes), f"small.yaml: {said}")


COUNTS = [
    ({"train": 80, "test": 5}, {"protocols.p": FITTED}, "p.extractor: classifier is trained on labels, and the data"),
    ({"train/a": 80, "test/a": 5}, {"protocols.p": FITTED}, "p.extractor: classifier tells classes apart"),
    (
        {"train/a": 9, "train/b": 9, "test/a": 5, "test/b": 5},
        {"protocols.p": FITTED},
        "p.extractor: classifier is trained on batches of 64, and there are 18 training images; set 'batch'",
    ),
    ({"train": 3, "test": 9}, {"protocols.p.metrics": ["fid", "recall"]}, "recall needs at least 5 images of its ref"),
    ({"train": 9, "test": 1}, {}, "fid needs at least 3 images, and the row of real images has 1, the test images"),
    (
        {"train": 9, "test": 5},
        {"protocols.p.metrics": ["fid", "inception_score"], "protocols.p.settings": {"inception_score": {"chunk": 4}}},
        "inception_score: the row of real images has 5: 5 images leave one for the last chunk of 4",
    ),
    (
        {f"{split}/{name}": 3 for split in ("train", "test") for name in "abcdefghijkl"},
        {"protocols.p.metrics": ["fid", "classification_accuracy"], "models.m.network.class_conditional": True},
        "classification_accuracy compares 12 classes of the data with the 10 that the extractor knows",
    ),
]


@pytest.mark.parametrize(("counts", "changes", "said"), COUNTS)
def test_images_or_labels_that_are_too_few(checked, tmp_path, counts, changes, said):
    put(tmp_path / "pictures", counts)
    assert refused(checked(changes), said)


def test_samples_that_are_too_few_for_the_features_are_found_without_the_data(checked):
    metrics = {"protocols.p.metrics": ["fid", "fid_infinity"], "runs.0.num_images": 100}
    assert refused(checked(metrics), "runs[0].num_images: 100 is too few; this protocol's metric fid_infinity needs at")
    chunk = {
        "protocols.p.metrics": ["inception_score", "fid"],
        "protocols.p.settings": {"inception_score": {"chunk": 9}},
    }
    assert refused(checked(chunk), "runs[0].num_images: metric inception_score: 10 images leave one for the last chunk")


def test_a_sampler_that_needs_a_learned_variance_is_not_given_to_a_model_that_has_none(checked):
    sampler = {"samplers.d": {"name": "diffusers:DDPMScheduler", "variance_type": "learned_range"}}
    done = checked(sampler | {"runs.0.samplers": ["d"]})
    assert refused(done, "runs[0].steps: d takes the variance that a model learned, and m has variance fixed_large")


BAD = {
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:60]), "(image file is truncated)"),
    "text": (lambda path: path.write_text("no picture"), "(it is none of BMP, "),
    "empty": (lambda path: path.write_bytes(b""), "(it is none of BMP, "),
    "16 bits": (lambda path: Image.fromarray(np.full((8, 8), 999, np.uint16)).save(path), "more than 8 bits a channel"),
    "transparent": (lambda path: Image.new("RGBA", (8, 8), (1, 2, 3, 9)).save(path), "has transparent pixels"),
}


@pytest.mark.parametrize("size", [None, 8])
@pytest.mark.parametrize("spoil", BAD)
def test_a_picture_that_no_reader_takes_is_named(checked, tmp_path, spoil, size):
    put(tmp_path / "pictures", {"train": 20, "test": 10})
    make, reason = BAD[spoil]
    make(tmp_path / "pictures/train/007.png")
    done = checked({"dataset.size": size})
    assert refused(done, f"small.yaml: dataset: {tmp_path}/pictures/train/007.png: ") and reason in done.stderr


def test_pictures_of_several_sizes_frames_and_smaller_ones(checked, tmp_path):
    put(tmp_path / "pictures", {"train": 20, "test": 10})
    frames = [Image.new("L", (8, 8), k) for k in (1, 2)]
    frames[0].save(tmp_path / "pictures/test/moving.gif", save_all=True, append_images=frames[1:])
    assert "test: 11 pictures; 1 with several frames, of which the first is read" in checked().stderr
    Image.new("L", (4, 20)).save(tmp_path / "pictures/train/007.png")
    assert refused(checked(), "train/007.png: is 4x20 with 1 channel, but ")
    done = checked({"dataset.size": 8})
    assert done.returncode == 0
    said = (
        f"note: train: 1 picture is smaller than size 8 and will be enlarged, {tmp_path}/pictures/train/007.png first"
    )
    assert said in done.stderr


REFERENCES = [
    ({"arr_0": np.zeros((9, 32, 32, 3), np.uint8)}, "and these are 32x32 in colour"),
    ({"images": np.zeros((9, 8, 8, 1), np.uint8)}, "no array 'arr_0'"),
    ({"arr_0": np.zeros((1, 8, 8, 1), np.uint8)}, "1 images, and metric fid needs at least 2"),
]


@pytest.mark.parametrize(("arrays", "said"), REFERENCES)
def test_a_reference_file_that_its_protocol_cannot_take(checked, tmp_path, arrays, said):
    put(tmp_path / "pictures", {"train": 20, "test": 10})
    np.savez(tmp_path / "reference.npz", **arrays)
    done = checked({"protocols.p.reference": "reference.npz"})
    assert refused(done, f"protocols.p.reference: {tmp_path}/reference.npz: ") and said in done.stderr


def test_weights_that_would_be_downloaded_and_a_bound_of_more_images_than_there_are_are_notes(
    checked, tmp_path, monkeypatch
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    put(tmp_path / "pictures", {"train": 20, "test": 10})
    done = checked({"protocols.p": {"name": "torch_fidelity", "metrics": ["fid"]}, "bound.num_images": 15})
    assert done.returncode == 0
    assert f"extractors.inception: the weights of inception are not here yet ({tmp_path}/hub/" in done.stderr
    assert "bound.num_images: 15 are asked for, and test has 10; all of these are evaluated" in done.stderr


def test_defaults_of_the_papers_that_meet_few_pictures_are_a_note(checked, tmp_path):
    put(tmp_path / "pictures", {"train": 20, "test": 10})
    done = checked({"models.m.training": {}, "bound": {}})
    assert done.returncode == 0
    (note,) = [line for line in done.stderr.splitlines() if "papers'" in line]
    assert "note: models.m: 0.0M parameters and 800,000 steps are the size of the papers'" in note
    assert "20 images repeat 5,120,000 times; the bound takes all 100 timesteps (bound: {timesteps: 40}" in note
    assert note.endswith(f"; `diffbench new --folder {tmp_path}/pictures` writes a benchmark that fits")


def test_a_second_file_of_the_benchmarks_name_is_refused(checked, tmp_path, monkeypatch):
    # The default benchmark's results are in the working directory, so its name needs no folder of the project.
    put(tmp_path / "pictures", {"train": 20, "test": 10})
    first = {"benchmark": "digits"}
    assert checked(first, "first.yaml").returncode == 0
    remember_configuration(tmp_path, tmp_path / "first.yaml")
    second = first | {"runs.0.steps": [3]}
    assert refused(checked(second, "second.yaml"), f"'digits' is the name of {tmp_path}/first.yaml too")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/table2.csv.json").write_text("{}")
    (tmp_path / "first.yaml").rename(tmp_path / "elsewhere.yaml")
    done = checked(second, "second.yaml")
    assert done.returncode == 0
    assert f"note: its results were made by {tmp_path}/first.yaml, which is gone; this file goes on" in done.stderr
