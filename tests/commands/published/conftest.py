"""Trees of results with made scores: the records that a benchmark's stages would write, and no training."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from diffbench.base.arrays import save_npz
from diffbench.base.provenance import write_provenance
from diffbench.base.records import Estimate, Row, record, write_records
from diffbench.benchmark.graph import Artifact, Graph
from diffbench.benchmark.load import parse_benchmark
from diffbench.benchmark.reported import Reported
from diffbench.benchmark.reproduced import published
from diffbench.commands.published.compared import main
from diffbench.extractors.inception import PUBLISHED
from diffbench.jobs.published import PublishedJob
from diffbench.protocols._contract import protocol_id

ROOT = Path(__file__).parents[3]

# The numbers of parameters that tests/commands/test_published_sizes.py counts in these networks.
PARAMETERS = {
    "cifar10": {"ddpm": 35_746_307, "iddpm_simple": 52_543_363, "iddpm": 52_546_438, "iddpm_vlb": 52_546_438},
    "imagenet64": {"iddpm": 121_063_942, "iddpm_vlb": 121_063_942, "iddpm_cond": 273_049_350, "adm": 295_904_454},
    "imagenet256": {"adm": 553_838_086, "adm_uncond": 552_814_086},
    "lsun_bedroom": {"ddpm": 113_673_219, "iddpm": 113_676_678, "adm": 552_814_086},
}
IMAGES = {"cifar10": 50_000, "imagenet64": 1_281_167, "imagenet256": 1_281_167, "lsun_bedroom": 3_033_042}

Change = Callable[[dict[str, Any]], object]


@dataclass
class Made:
    """A tree with made scores. table: the artifact. num_images, reference: what the protocols' ids say."""

    home: Path
    name: str
    graph: Graph
    table: Reported
    values: dict[tuple[Any, ...], Estimate]
    num_images: int | None = None
    extractor: str = PUBLISHED
    images: np.ndarray | None = None
    training_images: int | None = None
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)

    def write(self) -> None:
        """Write every file that the table is made from."""
        known = IMAGES[self.name] if self.training_images is None else self.training_images
        self._data(known)
        for artifact in self.table.sources["weights"]:
            self._weights(artifact)
        for artifact in self.table.sources["samples"]:
            self._file(artifact, {"nfe": 1.0, "flops_per_evaluation": 1})
        for artifact in self.table.sources["scores"]:
            self._scores(artifact, known)

    def rows(self) -> list[dict[str, str]]:
        """Return the rows of the table, which the module of the workflow's rule makes."""
        import csv

        main(["--spec", self.table.params, "--out", "results/published.csv"])
        with open(self.home / "results/published.csv", newline="") as file:
            return list(csv.DictReader(file))

    def _file(self, artifact: Artifact, facts: dict[str, Any], content: bytes = b"made") -> None:
        path = self.home / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        write_provenance(path, spec=artifact.spec or {}, facts=facts)

    def _data(self, known: int) -> None:
        artifact = self.graph.data("train")
        path, size = self.home / artifact.path, self.graph.benchmark.dataset.shape
        path.parent.mkdir(parents=True, exist_ok=True)
        draws = np.random.default_rng(0).integers(0, 256, (20, *size)).astype(np.uint8)
        save_npz(path, {"arr_0": draws if self.images is None else self.images})
        facts = {"num_images": known, "shape": list(size), "levels": 256, "flip": True, "num_classes": 10}
        write_provenance(path, spec=artifact.spec or {}, facts=facts)

    def _weights(self, artifact: Artifact) -> None:
        model = artifact.path.split("/")[2]
        facts = {"shape": list(self.graph.benchmark.dataset.shape), "levels": 256, "num_classes": 10}
        self._file(artifact, facts | {"parameters": PARAMETERS[self.name][model]} | self.facts)

    def _scores(self, artifact: Artifact, known: int) -> None:
        spec = artifact.spec or {}
        given = {key: value for key, value in spec["row"].items() if key != "num_images"}
        records = []
        if "protocol" not in spec:
            for metric in ("nll_bits_per_dim", "nll_train_bits_per_dim"):
                found = self.values.get((given["model"], metric), Estimate(3.0, 2.99, 3.01))
                records.append(record(Row(**given), metric, "bound;split=test", found))
        else:
            name, part = self.graph.benchmark.protocols[artifact.path.split("/")[2]]
            count = self.num_images or 50_000
            total = {"train": known, "test": 10_000}.get(part.reference, 10_000)
            identity = part.identity(
                name, extractor_sha256=self.extractor, rounding="truncate", num_images=count,
                reference_sha256="ab" * 32, num_reference=part.reference_images(total), options={},
            )  # fmt: skip
            row = Row(**given, num_images=count)
            for metric in part.metrics:
                place = (row.model, row.sampler, row.steps, row.guidance_scale, metric)
                found = self.values.get(place, Estimate(5.0, 4.9, 5.1))
                records.append(record(row, metric, protocol_id(identity), found))
        path = self.home / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_records(path, records)
        write_provenance(path, spec=spec, facts={})


@pytest.fixture
def made(tmp_path, monkeypatch) -> Callable[..., Made]:
    """Return a function that gives the tree of a shipped benchmark, perhaps with a change of its YAML."""
    monkeypatch.chdir(tmp_path)
    # The versions of packages take most of the time that a record takes.
    monkeypatch.setattr("diffbench.base.provenance.versions_of", lambda spec: {})

    def of(name: str, change: Change = lambda content: None, **more: Any) -> Made:
        content = yaml.safe_load((ROOT / f"workflow/config/{name}.yaml").read_text())
        change(content)
        graph = Graph(parse_benchmark(content, f"{name}.yaml"), tmp_path)
        table = published(graph)
        assert table is not None and isinstance(PublishedJob.read(table.spec), PublishedJob)
        tree = Made(tmp_path, name, graph, table, more.pop("values", {}), **more)
        tree.write()
        return tree

    return of
