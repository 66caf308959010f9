"""The results of a benchmark as a notebook reads them: `diffbench.open("results")`."""

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas

from diffbench.api.messages import naming_arguments
from diffbench.api.recorded import Tree
from diffbench.base.arrays import load_member, member_names
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.plugins import nearest
from diffbench.base.provenance_file import RESULTS, provenance_path, read_recorded, way_out
from diffbench.base.records import NUMERICS, ROW_KEYS
from diffbench.commands.compare.run import Comparison, comparisons
from diffbench.commands.missing import way_to
from diffbench.commands.report.records import Tree as Records
from diffbench.comparison.metrics import metric_named
from diffbench.comparison.rows import row_named
from diffbench.comparison.sources import Sourced, records_of
from diffbench.stages._wide import read_wide

if TYPE_CHECKING:  # Both are slow to import, and many notebooks only read tables.
    from matplotlib.figure import Figure

    from diffbench.api.model import Model

NUMBERS = ("steps", "train_seed", "sample_seed", "num_images")
"""The columns of records that are whole numbers or missing."""


def open_results(path: Path | str = RESULTS) -> "Results":
    """Return the results of a benchmark, which are read when they are asked for.

    path: a folder of results, or the one that contains it (`runs/smoke`). Raises: UserError if there are none.
    """
    given = Path(path)
    for folder in (given, given / RESULTS):
        if any((folder / name).is_dir() for name in ("samples", "models", "scores")) or [*folder.glob("*.csv.json")]:
            # Absolute, so that the notebook may change its working directory.
            return Results(Path(os.path.abspath(folder)))
    what = "no results there" if given.is_dir() else "no such folder"
    raise UserError(f"{given}: {what}; {way_to(given)}")


@dataclass(frozen=True)
class Results:
    """The results of one benchmark. path: their folder."""

    path: Path

    def __repr__(self) -> str:
        facts = [f"{name}: {', '.join(values) or 'none'}" for name, values in self._facts().items()]
        return "\n".join([f"results of {self.benchmark} in {self.path}", *(f"  {fact}" for fact in facts)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{name}</th><td style='text-align: left'>{html.escape(', '.join(values) or 'none')}</td></tr>"
            for name, values in self._facts().items()
        )
        head = f"<b>results of {html.escape(self.benchmark)}</b> in {html.escape(str(self.path))}"
        return f"<p>{head}</p><table>{rows}</table>"

    def _facts(self) -> dict[str, Sequence[str]]:
        return {"tables": self.tables, "figures": self.figures, "models": self.models, "samplers": self.samplers}

    # -- names

    @cached_property
    def benchmark(self) -> str:
        """The name of the benchmark."""
        if (self.path / "scores").is_dir():
            return str(self._scores()[0]["benchmark"])
        named = [self.table(name).to_dict("list").get("benchmark") for name in self.tables]
        return next((str(column[0]) for column in named if column), "a benchmark without scores")

    @property
    def tables(self) -> list[str]:
        """The names of all tables."""
        return sorted(path.stem for path in self.path.glob("*.csv"))

    @property
    def figures(self) -> list[str]:
        """The names of all figures."""
        return sorted({path.name.split(".")[0] for path in (self.path / "figures").glob("*.json")})

    @property
    def models(self) -> list[str]:
        """The names of all models that have samples or weights."""
        return self._tree.models

    @property
    def samplers(self) -> list[str]:
        """The names of all samplers that made samples."""
        return sorted({item.sampler for item in self._tree.sets})

    # -- numbers

    def table(self, name: str = "table2") -> pandas.DataFrame:
        """Return a table with the columns of its CSV; whole numbers are Int64, and what is missing is missing.

        Raises: UserError if there is no such table, or its file was changed.
        """
        file = self.path / f"{name}.csv"
        if not file.is_file():
            raise UserError(f"{self.path}: no table '{name}'; {nearest(name, self.tables)}")
        if provenance_path(file).is_file():
            _require_unchanged(file)
        return read_wide(file)

    def records(self) -> pandas.DataFrame:
        """Return all scores, one a row: the keys of the table's row, protocol, metric, value, low, high, covers.

        Raises: UserError if there are none, or one is damaged.
        """
        frame = pandas.DataFrame(self._scores())
        own = [NUMERICS] if NUMERICS in frame else []
        first = [*ROW_KEYS, "protocol", *own, "metric", "value", "low", "high", "covers"]
        return frame.loc[:, first].astype(dict.fromkeys(NUMBERS, "Int64"))

    def compare(self, a: str, b: str, metric: str = "fid", *, varies: Sequence[str] = ()) -> Comparison:
        """Return the verdict on whether row a is better than row b, as `diffbench compare`; printed, it is a few lines.

        a, b: rows as model/sampler/steps ("iddpm/ddim/25"), or files of scores. varies: fields of the protocol that
        differ by design. Raises: UserError if a row does not exist, or the two cannot be compared.
        """
        with naming_arguments("metric", "varies"):
            (found,) = comparisons(self.path, a, b, metrics=[metric], varies=varies)
        return found

    def provenance(self, row: str, metric: str = "fid") -> pandas.DataFrame:
        """Return what a row's score was made from: the scores, and each artifact upstream of them, down to the data.

        It has one row an artifact: its path, its sha256, the hash of the code that made it, and its own inputs.
        row: as in `compare`. Raises: UserError if a record is missing or damaged.
        """
        scored = row_named(self._scores(), row, metric_named(metric))
        sources = [item.source for item in scored if isinstance(item, Sourced) and item.source]
        records = Records(self.path)
        pending = [records.place(source) for source in sources]
        found: dict[str, dict[str, Any]] = {}
        while pending:
            place = pending.pop(0)
            made = records.recorded(place)
            if place in found or made is None:
                continue
            inputs = sorted(set(records.sources(place).values()))
            found[place] = {
                "artifact": place,
                "sha256": made["sha256"],
                "code": made["spec"].get("code"),
                "made_from": ", ".join(inputs),
            }
            pending += inputs
        return pandas.DataFrame(list(found.values()))

    # -- images and models

    def samples(self, row: str) -> np.ndarray:
        """Return a sample set of the benchmark: uint8, (image, height, width, channel).

        row: model/sampler/steps, for example "iddpm/ddim/25" or, guided at another scale, "adm_g@4/ancestral/25".
        Raises: UserError if there is no such set, or it is damaged.
        """
        known = {f"{item.model}/{item.sampler}/{item.steps}": item for item in reversed(self._tree.sets)}
        if row not in known:
            raise UserError(f"{self.path}: no samples of '{row}'; {nearest(row, known)}")
        return self._images(known[row].file)

    def real(self, split: str = "train") -> np.ndarray:
        """Return real images of the data set, as `samples`; split: train or test. Raises: UserError."""
        if split not in ("train", "test"):
            raise UserError(f"split: '{split}' is not allowed; {nearest(split, ('train', 'test'))}")
        return self._images(self.path / "data" / f"{split}.npz")

    def real_labels(self, split: str = "train") -> np.ndarray | None:
        """Return the classes of the images of `real`, or None if they have none. Raises: UserError."""
        file = self.path / "data" / f"{split}.npz"
        return load_member(file, "arr_1") if "arr_1" in member_names(file) else None

    def model(self, name: str, *, train_seed: int = 0) -> "Model":
        """Return a trained model, to sample from. Raises: UserError if there is none of this name."""
        from diffbench.api.model import Model

        self._tree.require_model(name)
        return Model(name, train_seed, self._tree)

    def figure(self, name: str) -> "Figure":
        """Return a figure, drawn anew from the saved records.

        Raises: UserError if there is none of this name, or what it is drawn from is missing or damaged.
        """
        found = sorted((self.path / "figures").glob(f"{name}.*.json"))
        if not found:
            raise UserError(f"{self.path}: no figure '{name}'; {nearest(name, self.figures)}")
        from diffbench.jobs.plot import PlotJob
        from diffbench.stages._figure_data import data_of

        try:
            job = PlotJob.read(read_recorded(found[0])["spec"])
        except UserError as error:
            picture = str(found[0]).removesuffix(".json")
            raise UserError(
                f"{found[0]}: not the record of a figure of this version ({error}); {way_out(picture)}"
            ) from None
        figure = job.figure.configured()
        files = {kind: [self._tree.file(path) for path in paths] for kind, paths in job.sources.items()}
        checked({str(path): path for paths in files.values() for path in paths})
        return figure(data_of(figure.consumes, job, files))

    # -- how files are found

    @cached_property
    def _tree(self) -> Tree:
        return Tree(self.path)

    def _scores(self) -> Sequence[dict[str, Any]]:
        return records_of(self.path)

    def _images(self, file: Path) -> np.ndarray:
        if not file.is_file():
            raise UserError(f"{file}: is not here; {way_to(file)}")
        _require_unchanged(file)
        return load_member(file, "arr_0")


def _require_unchanged(file: Path) -> None:
    """Raise UserError if an artifact is not what its record says."""
    checked({"file": file})
