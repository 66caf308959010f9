"""The data of figures, read from the files that a job names: one reader for each kind that a figure consumes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from diffbench.base.arrays import member_names, read_member
from diffbench.base.errors import UserError
from diffbench.base.provenance_file import provenance_path, read_provenance
from diffbench.diffusion.validation_loss import ValidationLosses
from diffbench.figures._neighbours import Neighbours
from diffbench.figures._pictures import Pictures
from diffbench.jobs.plot import PlotJob
from diffbench.stages._neighbour_data import neighbours
from diffbench.stages._schedule_data import schedules_of
from diffbench.stages._validation_file import read_validation

Files = Mapping[str, Sequence[Path]]
"""The files of a job by kind."""

REAL_LABEL = "real images"


@dataclass(frozen=True)
class Reader:
    """What data of a kind are read from. needs: the kinds of files. may_have: further kinds."""

    read: Callable[[PlotJob, Files], Any]
    needs: tuple[str, ...]
    may_have: tuple[str, ...] = ()

    def require(self, job: PlotJob) -> None:
        """Raise UserError if a job's files are not of these kinds."""
        given = {kind for kind, paths in job.sources.items() if paths}
        if not {*self.needs} <= given <= {*self.needs, *self.may_have}:
            also = f", and perhaps {' and '.join(self.may_have)}" if self.may_have else ""
            found = ", ".join(sorted(given)) or "nothing"
            raise UserError(
                f"figure {job.figure.name}: is drawn from sources {' and '.join(self.needs)}{also}; given: {found}"
            )


def data_of(consumes: str, job: PlotJob, files: Files) -> Any:
    """Return the data of a job's figure. Raises: UserError if the files are not what the figure is drawn from."""
    reader = READERS[consumes]
    reader.require(job)
    return reader.read(job, files)


def _table(job: PlotJob, files: Files) -> pandas.DataFrame:
    return read_csv(_only(job, "table", files))


def read_csv(path: Path) -> pandas.DataFrame:
    """Return a table. Raises: UserError if the file is not CSV."""
    try:
        # A model may be called NA, which pandas would take for a missing value.
        return pandas.read_csv(path, keep_default_na=False, na_values=["", "nan"])
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a table in CSV ({error})") from None


def _images(job: PlotJob, files: Files) -> dict[str, Pictures]:
    real = dict(zip([REAL_LABEL], files.get("real", ()), strict=False))
    rows = real | _labelled(job, files["images"])
    return {label: pictures(path) for label, path in rows.items()}


def pictures(path: Path) -> Pictures:
    """Return the images of a file, with their classes if it has any."""
    images = read_member(path, "arr_0")
    if images.dtype != np.uint8 or images.ndim != 4:
        raise UserError(f"{path}: arr_0 is {images.dtype}{images.shape}, wanted uint8 images, channels last")
    labels = read_member(path, "arr_1") if "arr_1" in member_names(path) else None
    # Files by other programs may hold something else there, such as probabilities; they are drawn without classes.
    whole = labels is not None and labels.dtype.kind in "iu" and labels.shape == (len(images),)
    return Pictures(images, labels if whole else None, _start(path))


def _start(path: Path) -> str | None:
    """Return the name of the x_T from which a file's samples start; None if its record does not say that they do."""
    spec = read_provenance(path)["spec"] if provenance_path(path).is_file() else {}
    if not {"sampler", "seed"} <= set(spec):
        return None
    # An upsampler's noise is another than that of the images that it starts from.
    return f"{spec['seed']}, upsampled" if spec.get("low_res") else str(spec["seed"])


def _curves(job: PlotJob, files: Files) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    return {label: _curve(path) for label, path in _labelled(job, files["terms"]).items()}


def _curve(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the share of the reverse process that is done at each point, and the rate and the RMSE at each point."""
    done = 1 - read_member(path, "curve_timesteps") / read_member(path, "width").sum()
    rate, error = (read_member(path, member).mean(axis=0) for member in ("curve_rate", "curve_x_0_mse"))
    return done, rate, 127.5 * np.sqrt(error)


def _progressive(job: PlotJob, files: Files) -> dict[str, np.ndarray]:
    path = _only(job, "terms", files)
    _, rate, rmse = _curve(path)
    kept = {member: read_member(path, member) for member in ("originals", "reconstructions")}
    index = {"index": read_member(path, "index")} if "index" in member_names(path) else {}
    return kept | index | {"rate": rate, "rmse": rmse}


def _traced(which: str) -> Callable[[PlotJob, Files], dict[str, np.ndarray]]:
    """Return the reader of one half of a file of traces, whose arrays' names begin with that half's name."""

    def read(job: PlotJob, files: Files) -> dict[str, np.ndarray]:
        path = _only(job, "traces", files)
        names = [name for name in member_names(path) if name.startswith(f"{which}_")]
        if not names:
            raise UserError(f"{path}: no arrays '{which}_...', so it is not a file of the stage trace")
        return {name.removeprefix(f"{which}_"): read_member(path, name) for name in names}

    return read


def _neighbours(job: PlotJob, files: Files) -> Neighbours:
    path, training = _only(job, "samples", files), _only(job, "training", files)
    features = [_only(job, kind, files) for kind in ("features", "training_features") if files.get(kind)]
    if len(features) == 1:
        raise UserError(f"figure {job.figure.name}: features and training_features are given together, or not at all")
    return neighbours(path, pictures(path), training, features)


def _terms(job: PlotJob, files: Files) -> dict[str, dict[str, np.ndarray]]:
    wanted = ("timesteps", "vlb", "width")
    labelled = _labelled(job, files["terms"])
    return {label: {name: read_member(path, name) for name in wanted} for label, path in labelled.items()}


def _logs(job: PlotJob, files: Files) -> dict[str, pandas.DataFrame]:
    return {label: read_csv(path) for label, path in _labelled(job, files["logs"]).items()}


def _validation(job: PlotJob, files: Files) -> dict[str, ValidationLosses]:
    return {label: read_validation(path) for label, path in _labelled(job, files["validation"]).items()}


def _schedules(job: PlotJob, files: Files) -> dict[str, dict[int, dict[str, np.ndarray]]]:
    figure = job.figure.configured()
    return schedules_of(figure.chains, figure.steps)


def _only(job: PlotJob, kind: str, files: Files) -> Path:
    """Return the one file of a kind. Raises: UserError if there are several."""
    if len(files[kind]) != 1:
        raise UserError(f"figure {job.figure.name}: needs one file of sources.{kind}, not {len(files[kind])}")
    return files[kind][0]


def _labelled(job: PlotJob, files: Sequence[Path]) -> dict[str, Path]:
    if len(job.labels) != len(files) or len(set(job.labels)) != len(job.labels):
        raise UserError(
            f"--spec.labels: {len(job.labels)} labels for {len(files)} files; give each file one of its own"
        )
    return dict(zip(job.labels, files, strict=True))


READERS: Mapping[str, Reader] = {
    "table": Reader(_table, ("table",)),
    "oracle": Reader(_table, ("table",)),
    "images": Reader(_images, ("images",), may_have=("real",)),
    "curves": Reader(_curves, ("terms",)),
    "progressive": Reader(_progressive, ("terms",)),
    "terms": Reader(_terms, ("terms",)),
    "logs": Reader(_logs, ("logs",)),
    "validation": Reader(_validation, ("validation",)),
    "schedules": Reader(_schedules, ()),
    "generation": Reader(_traced("generation"), ("traces",)),
    "interpolation": Reader(_traced("interpolation"), ("traces",)),
    "neighbours": Reader(_neighbours, ("samples", "training"), may_have=("features", "training_features")),
}
"""The reader of each kind of data."""
