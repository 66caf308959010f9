"""`diffbench new` writes a file that checks, plans and loads, and never harms one that is there."""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffbench.base.errors import UserError
from diffbench.benchmark.codehash import PACKAGE_ROOT
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.places import remember_configuration
from diffbench.commands.new.facts import Facts, facts_of
from diffbench.commands.new.place import place_of, written_path
from diffbench.commands.new.scoring import scoring_of
from diffbench.commands.new.sizes import LEAST_STEPS, TABLES, WIDEST, Sizes, fitting
from diffbench.commands.new.text import Head, yaml_text

CLASSES = ("bird", "cat")


def picture(file: Path, k: int, size: tuple[int, int] = (20, 24), mode: str = "RGB") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(k).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(file)


def pictures(root: Path, num: int = 24, *, classes: tuple[str, ...] = (), **how) -> Path:
    for k in range(num):
        picture(root / (classes[k % len(classes)] if classes else "") / f"{k}.png", k, **how)
    return root


@pytest.fixture(autouse=True)
def nothing_cached(monkeypatch, tmp_path_factory):
    """Whether this machine has Inception's weights must not matter."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("hub")))


# -- the facts of a folder


def test_a_folder_without_classes_is_split_and_has_no_labels(tmp_path):
    found = facts_of(pictures(tmp_path / "p"), None, None)
    assert (found.num_train, found.num_test, found.num_classes, found.smallest_class) == (18, 6, None, 0)
    assert found.entry == {"name": "folder", "channels": 3, "test_fraction": 0.25}
    assert found.sides == (16, 8) and found.suggested == "p"


def test_grey_pictures_of_several_sizes_in_classes(tmp_path):
    root = pictures(tmp_path / "p", classes=CLASSES, mode="L", size=(70, 33))
    picture(root / "cat/tiny.png", 99, size=(8, 9), mode="L")
    found = facts_of(root, None, None)
    assert found.channels == 1 and found.num_classes == 2 and found.smallest_class > 5
    assert found.sides == (32, 16, 8), "one tiny picture of 25 must not make all of them tiny"


def test_folders_train_and_test_are_kept(tmp_path):
    pictures(tmp_path / "p/train")
    pictures(tmp_path / "p/test", 7)
    found = facts_of(tmp_path / "p", None, None)
    assert "test_fraction" not in found.entry and (found.num_train, found.num_test) == (24, 7)


def test_a_size_that_the_user_asks_for_is_the_only_one(tmp_path):
    assert facts_of(pictures(tmp_path / "p"), None, 32).sides == (32,)
    with pytest.raises(UserError, match="--size 20: .*8|allowed: 64, 32, 16, 8"):
        facts_of(tmp_path / "p", None, 20)


def test_a_data_set_by_name():
    found = facts_of(None, "digits", None)
    assert (found.num_train, found.num_test, found.sides, found.num_classes) == (1297, 500, (8,), 10)
    assert found.path is None and found.smallest_class > 100


@pytest.mark.parametrize(
    ("folder", "data", "said"),
    [
        (None, None, "--folder PATH, or --data"),
        (Path("p"), "digits", "name the data once"),
        (Path("absent"), None, "absent: no such folder"),
        (PACKAGE_ROOT, None, "holds this project itself"),
        (PACKAGE_ROOT.parent, None, "holds this project itself"),
        (None, "mnist", "say where the data are, as mnist:PATH"),
        (None, "digits:here", "brings its own images"),
        (None, "folder:p", "--folder PATH"),
        (None, "minst:p", "did you mean|mnist"),
    ],
)
def test_data_that_cannot_be_used_are_named(tmp_path, monkeypatch, folder, data, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said):
        facts_of(folder, data, None)


def test_too_few_pictures_none_and_a_damaged_one_are_refused(tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="none: no pictures below it"):
        facts_of(tmp_path / "none", None, None)
    with pytest.raises(UserError, match="19 pictures are too few; at least 20"):
        facts_of(pictures(tmp_path / "few", 19), None, None)
    pictures(tmp_path / "split/train")
    with pytest.raises(UserError, match="4 pictures in test are too few; at least 5"):
        pictures(tmp_path / "split/test", 4)
        facts_of(tmp_path / "split", None, None)
    with pytest.raises(UserError, match="only 7 pixels across"):
        facts_of(pictures(tmp_path / "tiny", size=(7, 9)), None, None)
    damaged = pictures(tmp_path / "p") / "5.png"
    damaged.write_bytes(damaged.read_bytes()[:-400])
    with pytest.raises(UserError, match=re.escape(str(damaged))):
        facts_of(tmp_path / "p", None, None)


# -- name and file


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty working directory, and a folder for results that is not the project's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("diffbench.commands.new.place.home_of", lambda name: tmp_path / "runs" / name)
    return tmp_path


def test_results_of_another_file_keep_their_name(elsewhere):
    (elsewhere / "far").mkdir()
    (elsewhere / "far/cats.yaml").write_text("benchmark: cats\n")
    remember_configuration(elsewhere / "runs/cats", elsewhere / "far/cats.yaml")
    assert place_of("cats", None, None) == ("cats_2", Path("cats_2.yaml"))
    with pytest.raises(UserError, match="--name cats: .*far/cats.yaml"):
        place_of("dogs", "cats", None)
    (elsewhere / "far/cats.yaml").unlink()
    assert place_of("cats", None, None) == ("cats", Path("cats.yaml"))


def test_the_name_is_valid_and_not_another_benchmarks(elsewhere):
    assert place_of("my pictures!", None, None) == ("my_pictures", Path("my_pictures.yaml"))
    assert place_of("2024", None, None)[0] == "pictures_2024"
    assert place_of("___", None, None)[0] == "pictures"
    assert place_of("digits", None, None) == ("digits_2", Path("digits_2.yaml")), "digits is a shipped benchmark"
    Path("cats.yaml").write_text("benchmark: Cats\n")
    assert place_of("cats", None, Path("other.yaml"))[0] == "cats_2", "folders may not know upper case"
    with pytest.raises(UserError, match="cats.yaml: exists already; .*--out"):
        place_of("cats", None, None)
    with pytest.raises(UserError, match="--name cats: is the name of the benchmark in .*cats.yaml"):
        place_of("dogs", "cats", Path("dogs.yaml"))
    with pytest.raises(UserError, match="--name MNIST: .*mnist.yaml"):
        place_of("dogs", "MNIST", None)
    with pytest.raises(UserError, match="is not a name"):
        place_of("dogs", "a b", None)
    with pytest.raises(UserError, match="no folder; make it first"):
        place_of("dogs", None, Path("absent/dogs.yaml"))
    os.symlink("nowhere", "dogs.yaml")
    with pytest.raises(UserError, match="dogs.yaml: exists already"):
        place_of("dogs", None, None)


def test_a_path_is_written_as_it_leads_from_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert written_path("pics", Path("a.yaml")) == "pics"
    assert written_path("pics", Path("configs/a.yaml")) == "../pics"
    assert written_path("/data/pics", Path("configs/a.yaml")) == "/data/pics"
    assert written_path("~/pics", Path("a.yaml")) == "~/pics"


# -- sizes


MOST = 10_000 * 150 // 32 // 50 * 50
"""Steps after which 150 images have been seen 10,000 times, from where on `check` notes it."""


@dataclass
class Linear:
    """Prices of a machine of so many operations a second: steps cost as they do in a network."""

    rate: float
    asked: int = 0

    def time(self, sizes: Sizes) -> None:
        self.asked += 1

    def seconds(self, sizes: Sizes) -> float:
        network = sizes.channels**2 * sizes.side**2 * 250
        rows = len(sizes.rows.models) * 2 * sum(sizes.rows.steps) * sizes.num_images
        training = 3 * 32 * sizes.training_steps * len(sizes.rows.models)
        return network * (rows + training) / self.rate + 30


def known(**changes) -> Facts:
    given = {
        "named": "--folder p",
        "path": "p",
        "entry": {"name": "folder", "channels": 3, "test_fraction": 0.25},
        "num_train": 150,
        "num_test": 50,
        "channels": 3,
        "sides": (64, 32, 16, 8),
        "num_classes": None,
        "smallest_class": 0,
        "notes": {"size": "the pictures are 70x70", "channels": "all"},
        "suggested": "p",
    }
    return Facts(**{**given, **changes})


@pytest.mark.parametrize("rate", [5e9, 2e10, 1e11, 1e12, 1e14])
@pytest.mark.parametrize("minutes", [3, 15, 120])
def test_the_sizes_fill_the_stated_time(rate, minutes):
    prices = Linear(rate)
    sizes = fitting(known(), 60 * minutes, prices)
    assert prices.seconds(sizes) <= 60 * minutes * 1.02
    assert sizes.training_steps == MOST or prices.seconds(sizes) >= 60 * minutes * 0.9
    assert sizes.training_steps <= MOST and sizes.channels <= WIDEST
    assert sizes.num_images == 50 and sizes.training_steps % 50 == 0


def test_more_time_never_gives_a_poorer_benchmark():
    found = [fitting(known(), 60 * minutes, Linear(3e10)) for minutes in (2, 4, 8, 15, 30, 60, 240)]
    richness = [(-TABLES.index(s.rows), s.side, s.channels, s.training_steps * s.channels) for s in found]
    assert richness == sorted(richness)
    assert all(s.training_steps >= LEAST_STEPS[s.channels] for s in found[1:])


def test_too_little_time_is_refused_with_the_least():
    with pytest.raises(UserError, match=r"--minutes 0.1: too short; .* takes \S+ minutes here") as no:
        fitting(known(), 6, Linear(3e10))
    assert fitting(known(num_train=15), 6e6, Linear(3e10)).training_steps <= 10_000 * 15 // 32
    least = float(str(no.value).rsplit(" ", 3)[1])
    assert fitting(known(), 60 * math.ceil(least * 10 + 1) / 10, Linear(3e10)).channels == min(LEAST_STEPS)


# -- features


def test_a_classifier_needs_enough_labelled_images():
    assert scoring_of(known(), None).extractor == {"name": "random_features", "dimensions": 16}
    few = known(num_classes=10, smallest_class=12)
    assert scoring_of(few, None).extractor["name"] == "random_features"
    assert "learns them by heart" in scoring_of(few, None).why
    many = known(num_classes=10, num_train=1500, smallest_class=130)
    assert scoring_of(many, None).extractor["name"] == "classifier"


def test_inception_is_taken_if_its_weights_are_at_hand(tmp_path):
    with pytest.raises(UserError, match="no such file of Inception weights"):
        scoring_of(known(), tmp_path / "absent.pth")
    (tmp_path / "w.pth").touch()
    assert scoring_of(known(), tmp_path / "w.pth").extractor["path"] == str(tmp_path / "w.pth")
    cached = Path(os.environ["TORCH_HOME"], "hub/checkpoints/weights-inception-2015-12-05-6726825d.pth")
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert scoring_of(known(), None).extractor == {"name": "inception"}


# -- the file


@pytest.mark.parametrize("rows", TABLES)
@pytest.mark.parametrize("channels", LEAST_STEPS)
@pytest.mark.parametrize("side", [64, 32, 28, 16, 8])
def test_every_size_gives_a_file_that_loads_with_networks_that_fit(tmp_path, rows, channels, side):
    import torch

    facts = known()
    sizes = Sizes(rows, side, channels, 150, 50)
    (tmp_path / "a.yaml").write_text(
        yaml_text(Head("a", "p", "a.yaml", "--minutes 15", 15, 2), facts, scoring_of(facts, None), sizes)
    )
    benchmark = load_benchmark(tmp_path / "a.yaml")
    assert benchmark.dataset.path == str(tmp_path / "p") and benchmark.dataset.size == side
    assert len(benchmark.sample_sets()) == 2 * len(rows.models) * len(rows.steps)
    for model in benchmark.models.values():
        with torch.device("meta"):
            model.network.build((3, side, side), None, model.diffusion.learns_variance)
        assert (model.training.steps, model.training.final_learning_rate) == (150, 0)


@pytest.mark.parametrize("path", ["no", "true", "a b", "it's: #1", 'say "a"', "-x", "7", "ümlaut", "[a]"])
def test_any_path_comes_out_of_the_file_again(tmp_path, path):
    facts = known()
    text = yaml_text(
        Head("a", path, "a.yaml", "--minutes 15", 15, 2),
        facts,
        scoring_of(facts, None),
        Sizes(TABLES[0], 16, 16, 150, 50),
    )
    (tmp_path / "a.yaml").write_text(text)
    assert load_benchmark(tmp_path / "a.yaml").dataset.path == str(tmp_path / path)


def test_the_command_writes_a_file_that_check_takes_without_a_warning(tmp_path, diffbench):
    pictures(tmp_path / "my pics", classes=CLASSES)
    made = diffbench("new", "--folder", "my pics", "--minutes", 1000, "--size", 8, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    command = "snakemake --cores all results/table2.csv --configfile my_pics.yaml"
    last = made.stdout.splitlines()[-1].strip()
    assert last == f"{command} --snakefile {PACKAGE_ROOT}/Snakefile", "this is not the project's folder"
    text = (tmp_path / "my_pics.yaml").read_text()
    assert command in text and "diffbench new --folder 'my pics' --size 8 --minutes 1000" in text
    checked = diffbench("check", "my_pics.yaml", cwd=tmp_path)
    assert checked.returncode == 0 and "note" not in checked.stderr and "warning" not in checked.stderr
    again = diffbench("new", "--folder", "my pics", "--minutes", 1000, cwd=tmp_path)
    assert again.returncode == 2 and "my_pics.yaml: exists already" in again.stderr and "--out" in again.stderr
    assert (tmp_path / "my_pics.yaml").read_text() == text
