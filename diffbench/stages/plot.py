r"""The stage plot: a figure (PNG) of a table, of sample sets or of a bound's terms, with the same bytes each time.

python -m diffbench.stages.plot --spec '{"figure": {"name": "fid_vs_steps"}}' --table table2.csv \
    --out fid_vs_steps.png
python -m diffbench.stages.plot --spec '{"figure": {"name": "samples"}, "labels": ["ddim, 10", "ddim, 25"]}' \
    --real test.npz --images 10.npz 25.npz --out samples.png
python -m diffbench.stages.plot --spec '{"figure": {"name": "rate_distortion"}, "labels": ["ddpm", "lsun"]}' \
    --terms ddpm.npz lsun.npz --out rate_distortion.png
python -m diffbench.stages.plot --spec '{"figure": {"name": "progressive"}}' \
    --terms ddpm.npz --out progressive.png
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from diffbench.base.arrays import member_names, read_member
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked, upstream_of
from diffbench.base.provenance import write_provenance
from diffbench.base.writing import replacing
from diffbench.figures._pictures import Pictures
from diffbench.jobs.plot import PlotJob
from diffbench.jobs.tabulate import TableJob
from diffbench.stages._command import run_stage, stage_parser
from diffbench.stages._run_record import run_record

SOURCES = {"table": "table", "oracle": "table", "images": "images", "curves": "terms", "progressive": "terms"}
"""The argument that gives what a figure consumes."""

REAL_LABEL = "real images"


def plot(
    job: PlotJob | TableJob,
    *,
    out: Path,
    table: Path | None = None,
    images: Sequence[Path] = (),
    real: Path | None = None,
    terms: Sequence[Path] = (),
) -> None:
    """Draw one figure and write it with its provenance.

    job: the figure's own, or the job of the table that it is drawn from. real: a file of real images, drawn as the
    first row. Raises: UserError if the given files are not what the figure is drawn from.
    """
    if job.figure is None:
        raise UserError("--spec: the table's job has no 'figure'; name one, or give a figure's own job")
    name, figure = job.figure.name, job.figure.configured()
    given = {"table": [table] if table else [], "real": [real] if real else [], "images": images, "terms": terms}
    wanted = SOURCES[figure.consumes]
    brought = [source for source, paths in given.items() if paths and source != "real"]
    if brought != [wanted] or (real and wanted != "images"):
        raise UserError(f"figure {name}: is drawn from --{wanted}, and from nothing else")
    expected = upstream_of(job.upstream, **{source: paths for source, paths in given.items() if paths})
    files = [path for paths in given.values() for path in paths]
    # Files by other programs may be drawn too, and have no record.
    inputs = checked({str(path): path for path in files}, foreign=list(map(str, files)), upstream=expected)
    labels = job.labels if isinstance(job, PlotJob) else ()
    data = _data(name, figure.consumes, labels, given)
    # matplotlib is slow to import, so the arguments are checked first.
    from diffbench.figures._style import save_png

    with replacing(out) as temporary:
        save_png(figure(data), temporary)
    facts = {"given": {source: list(map(str, paths)) for source, paths in given.items()}}
    write_provenance(out, spec=job.as_json(), inputs=inputs, facts=facts)


def _data(name: str, consumes: str, labels: Sequence[str], given: Mapping[str, Sequence[Path]]) -> Any:
    """Return the data of a figure, read from the given files."""
    match consumes:
        case "images":
            real = dict(zip([REAL_LABEL], given["real"], strict=False))
            rows = real | _labelled(labels, given["images"])
            return {label: _pictures(path) for label, path in rows.items()}
        case "curves":
            return {label: _curve(path) for label, path in _labelled(labels, given["terms"]).items()}
        case "progressive":
            return _progressive(name, given["terms"])
        case _:
            return _read_table(given["table"][0])


def _pictures(path: Path) -> Pictures:
    """Return the images of a file, with their classes if it has any."""
    images = read_member(path, "arr_0")
    if images.dtype != np.uint8 or images.ndim != 4:
        raise UserError(f"{path}: arr_0 is {images.dtype}{images.shape}, wanted uint8 images, channels last")
    labels = read_member(path, "arr_1") if "arr_1" in member_names(path) else None
    # Files by other programs may hold something else there, such as probabilities; they are drawn without classes.
    whole = labels is not None and labels.dtype.kind in "iu" and labels.shape == (len(images),)
    return Pictures(images, labels if whole else None)


def _curve(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the share of the reverse process that is done at each point, and the rate and the RMSE at each point."""
    done = 1 - read_member(path, "curve_timesteps") / read_member(path, "width").sum()
    rate, error = (read_member(path, member).mean(axis=0) for member in ("curve_rate", "curve_x_0_mse"))
    return done, rate, 127.5 * np.sqrt(error)


def _progressive(name: str, terms: Sequence[Path]) -> dict[str, np.ndarray]:
    if len(terms) != 1:
        raise UserError(f"figure {name}: shows one model; give --terms one file, not {len(terms)}")
    _, rate, rmse = _curve(terms[0])
    kept = {member: read_member(terms[0], member) for member in ("originals", "reconstructions")}
    return kept | {"rate": rate, "rmse": rmse}


def _read_table(path: Path) -> pandas.DataFrame:
    try:
        return pandas.read_csv(path)
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a table in CSV ({error})") from None


def _labelled(labels: Sequence[str], files: Sequence[Path]) -> dict[str, Path]:
    if len(labels) != len(files) or len(set(labels)) != len(labels):
        raise UserError(f"--spec.labels: {len(labels)} labels for {len(files)} files; give each file one of its own")
    return dict(zip(labels, files, strict=True))


def read_job(spec: Mapping[str, Any]) -> PlotJob | TableJob:
    """Return the job of a spec: a figure's own, or that of a table with a figure. Raises: UserError."""
    return TableJob.read(spec) if "table" in spec else PlotJob.read(spec)


def main(arguments: Sequence[str] | None = None) -> None:
    """Plot as the command line says."""
    parser = stage_parser(__doc__, read_job)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--table", type=Path, help="a table in CSV")
    source.add_argument("--images", type=Path, nargs="+", default=[], help="sample sets, one for each row")
    source.add_argument("--terms", type=Path, nargs="+", default=[], help="bounds of test images, one for each model")
    parser.add_argument("--real", type=Path, help="real images, for the first row")
    parser.add_argument("--out", type=Path, required=True, help="the PNG to write")
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="plot"):
        plot(
            given.spec,
            out=given.out,
            table=given.table,
            images=given.images,
            real=given.real,
            terms=given.terms,
        )


if __name__ == "__main__":
    run_stage(main)
