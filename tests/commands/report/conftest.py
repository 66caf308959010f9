"""A small tree of results, made in a second: its files are not measured, but its records are those of stages."""

import json
import shutil
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffbench.base.arrays import save_npz
from diffbench.base.inputs import NOTHING, checked
from diffbench.base.provenance import write_provenance
from diffbench.base.records import Estimate, Row, record, write_records
from diffbench.benchmark import paths
from diffbench.jobs.tabulate import TableJob
from diffbench.stages.tabulate import tabulate

PROTOCOL = "protocol=classifier@2;extractor=digits_features@7a8108d6;n=40;reference=train:60@5da359fd"
CODE = "0123456789abcdef"
NETWORK = {"name": "unet", "channels": 16, "channel_multipliers": [1, 2], "class_conditional": False}


@dataclass
class Lab:
    """Writes the files of a tree, one kind after the other. size: of images. nan: the model whose FID is NaN."""

    size: int = 8
    channels: int = 1
    nan: str = ""

    def data(self, split: str, count: int) -> None:
        shape = (count, self.size, self.size, self.channels)
        images = np.random.default_rng(count).integers(0, 255, shape, dtype=np.uint8)
        save_npz(paths.data(split), {"arr_0": images, "arr_1": np.arange(count) % 10})
        facts = {"num_images": count, "shape": list(shape[1:]), "levels": 17, "num_classes": 10}
        spec = {"dataset": {"name": "digits"}, "split": split, "code": CODE}
        write_provenance(paths.data(split), spec=spec, facts=facts)

    def weights(self, model: str, seed: int) -> None:
        spec = {
            "network": NETWORK,
            "diffusion": {
                "schedule": "linear",
                "timesteps": 1000,
                "parameterization": "eps",
                "variance": "fixed_large",
            },
            "objective": {"name": "simple"},
            "training": {"steps": 2000, "batch_size": 64, "learning_rate": 0.003},
            "seed": seed,
            "code": CODE,
        }
        self._made(paths.weights(model, seed), spec, {"data": paths.data("train")}, {"parameters": 190369})

    def samples(self, model: str, sampler: str, steps: int, seed: int) -> None:
        place = paths.PLACE.format(model=model, sampler=sampler, train_seed=seed, sample_seed=0)
        samples = paths.samples("results", place, steps)
        shape = (40, self.size, self.size, self.channels)
        images = np.random.default_rng(steps).integers(0, 255, shape, dtype=np.uint8)
        labels = {"arr_1": np.arange(40) % 10} if model.startswith("adm") else {}
        save_npz(samples, {"arr_0": images, **labels})
        spec = {"sampler": {"name": sampler, "eta": 0.0}, "spacings": [str(steps)], "num_images": 40, "seed": 0}
        self._record(samples, spec | {"code": CODE}, {"weights": paths.weights(model, seed)}, {"nfe": float(steps)})
        features = paths.features("results", "digits_features", place, steps)
        self._made(features, {"extractor": {"name": "digits_features"}, "code": CODE}, {"images": samples}, {})
        self._scores(
            paths.scores("results", "digits", place, steps),
            Row("digits", model, sampler, steps, None, seed, 0, 40),
            features,
        )

    def real(self) -> None:
        for split in ("train", "test"):
            spec = {"extractor": {"name": "digits_features"}, "code": CODE}
            self._made(paths.real_features("digits_features", split), spec, {"images": paths.data(split)}, {})
        self._scores(
            paths.real_scores("digits"),
            Row("digits", "real", num_images=40),
            paths.real_features("digits_features", "test"),
        )

    def _scores(self, out: str, row: Row, features: str) -> None:
        value = float("nan") if row.model == self.nan else 100 / ((row.steps or 30) + 0.25)
        numbers = {
            "fid": Estimate.normal(value, 0.3),
            "kid": Estimate(0.0009, -0.001, 0.003),
            "inception_score": Estimate.normal(8.9, 0.1),
            "precision": Estimate(0.88, 0.85, 0.91),
            "recall": Estimate(0.834, 0.79, 0.87),
        }
        if row.steps:
            numbers |= {"nfe": Estimate.exact(row.steps), "flops_per_image": Estimate.exact(82022400)}
        write_records(Path(out), [record(row, name, PROTOCOL, number) for name, number in numbers.items()])
        inputs = {"features": features, "reference": paths.real_features("digits_features", "train")}
        if row.sampler:
            inputs["samples_provenance"] = paths.record(features.replace("features/digits_features", "samples"))
        spec = {"row": {"benchmark": "digits", "model": row.model}, "protocol": {"name": "classifier"}, "code": CODE}
        self._record(out, spec, inputs, {})

    def table(self, scores: list[str]) -> None:
        job = TableJob.read({"benchmark": "digits", "table": {"name": "table2"}})
        tabulate(job, scores=[Path(place) for place in scores], out_table=Path("results/table2.csv"))

    def models_table(self, scores: list[str], models: dict[str, list[tuple[str, int]]], seeds: tuple[int, ...]) -> None:
        pairs = [(model, seed) for model in models for seed in seeds]
        rows = [{"benchmark": "digits", "model": model, "train_seed": seed, "weights": model} for model, seed in pairs]
        job = TableJob.read({"benchmark": "digits", "table": {"name": "table1"}, "rows": rows})
        weights = [Path(paths.record(paths.weights(model, seed))) for model, seed in pairs]
        samples = [
            Path(
                paths.record(
                    paths.samples(
                        "results",
                        paths.PLACE.format(model=model, sampler=sampler, train_seed=seed, sample_seed=0),
                        steps,
                    )
                )
            )
            for model, seed in pairs
            for sampler, steps in models[model][:1]
        ]
        files = [Path(place) for place in scores if "real" not in place]
        tabulate(job, scores=files, weights=weights, samples=samples, out_table=Path("results/table1.csv"))

    def figure(self, name: str, *, svg: bool = True) -> None:
        place = paths.figure(name)
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (320, 200), "white").save(place)
        spec = {"figure": {"name": name}, "code": CODE}
        self._record(place, spec, {"results/table2.csv": "results/table2.csv"}, {})
        if svg:
            sharp = place.replace(".png", ".svg")
            Path(sharp).write_text('<svg xmlns="http://www.w3.org/2000/svg" width="320" height="200"></svg>')
            self._record(sharp, spec, {"results/table2.csv": "results/table2.csv"}, {})

    def cost(self) -> None:
        lines = [
            "stage,run,seconds,cpu_seconds,startup_cpu_seconds,num_images,images_per_second,peak_memory_mib,machine,processors,date"
        ]
        lines += [
            f"sample,sample/ddpm/{n},{n + 0.5},3,2,40,12.5,700.5,lab-1,2,2026-01-0{n}T10:00:00+00:00" for n in (1, 2)
        ]
        lines += ["train,train/ddpm,75.25,80,2,,,900,lab-1,2,2026-01-01T09:00:00+00:00"]
        lines += [f"score,score/{n},0,0,0,,,80,lab-1,2,2026-01-01T11:00:00+00:00" for n in range(40)]
        Path("results/cost.csv").write_text("\n".join(lines) + "\n")

    def _made(self, path: str, spec: dict, inputs: dict, facts: dict) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(path.encode())
        self._record(path, spec, inputs, facts)

    def _record(self, path: str, spec: dict, inputs: dict, facts: dict) -> None:
        found = checked(inputs, foreign=list(inputs)) if inputs else NOTHING
        write_provenance(path, spec=spec, inputs=found, facts=facts)


def made_tree(home: Path, models: dict[str, list[tuple[str, int]]], *, seeds=(0,), **options) -> Path:
    """Write a tree with models, each sampled by some samplers at some steps, and return its folder of results."""
    home.mkdir(parents=True, exist_ok=True)
    with chdir(home):
        lab = Lab(**options)
        lab.data("train", 60)
        lab.data("test", 50)
        lab.real()
        for model, sampled in models.items():
            for seed in seeds:
                lab.weights(model, seed)
                for sampler, steps in sampled:
                    lab.samples(model, sampler, steps, seed)
        scores = [
            str(path) for path in sorted(Path("results/scores").rglob("*.json")) if not path.name.endswith(".json.json")
        ]
        lab.table(sorted(scores, key=lambda place: "real" not in place))
        lab.models_table(scores, models, seeds)
        lab.figure("fid_vs_steps")
        lab.cost()
    return home / "results"


FULL = {
    "ddpm": [("ancestral", 10), ("ancestral", 25), ("ddim", 10), ("ddim", 25)],
    "iddpm": [("ancestral", 10), ("ddim", 50)],
    "adm": [("ancestral", 25)],
}


@pytest.fixture(scope="session")
def whole_tree(tmp_path_factory) -> Path:
    """The results of a whole run. Tests that change something copy them (`tree`)."""
    return made_tree(tmp_path_factory.mktemp("whole"), FULL)


@pytest.fixture
def tree(whole_tree, tmp_path) -> Path:
    """A copy of the results of a whole run, for a test that changes something in it."""
    return Path(shutil.copytree(whole_tree, tmp_path / "home" / "results"))


@pytest.fixture(scope="session")
def lab():
    """The function that makes other trees."""
    return made_tree


def data_of(html: str) -> dict:
    """The JSON that the page's script reads."""
    return json.loads(html.split('id="data">')[1].split("</script>")[0])
