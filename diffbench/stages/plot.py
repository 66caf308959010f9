r"""The stage plot: figures (PNG, SVG, PDF) of saved numbers and images, with the same bytes each time.

python -m diffbench.stages.plot --spec '{"figure": "fid_vs_steps", "sources": {"table": ["table2.csv"]}}' \
    --out fid_vs_steps.png fid_vs_steps.svg fid_vs_steps.pdf
python -m diffbench.stages.plot --spec '{"figure": "samples", "labels": ["ddim, 10", "ddim, 25"],
    "sources": {"real": ["test.npz"], "images": ["10.npz", "25.npz"]}}' --out samples.png
python -m diffbench.stages.plot --spec '{"figures": [...]}' --out a.png a.svg b.png b.svg

One process draws several figures, because the import of what draws them takes longer than a figure.
"""

from collections.abc import Sequence
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.inputs import checked, upstream_of
from diffbench.base.provenance import write_provenance
from diffbench.base.writing import replacing
from diffbench.jobs.plot import PlotJob, read_jobs
from diffbench.stages._command import run_stage, stage_parser
from diffbench.stages._figure_data import data_of
from diffbench.stages._run_record import run_record

FORMATS = (".png", ".svg", ".pdf")
"""The endings of files that a figure can be written to."""


def plot(job: PlotJob, *, out: Sequence[Path]) -> None:
    """Draw one figure, and write it to files whose endings name their formats, each with its provenance.

    Raises: UserError if a source is missing or damaged, or is not what the figure is drawn from.
    """
    figure = job.figure.configured()
    given = {kind: [Path(path) for path in paths] for kind, paths in job.sources.items()}
    expected = upstream_of(job.upstream, **{kind: paths for kind, paths in given.items() if paths})
    files = [path for paths in given.values() for path in paths]
    # Files by other programs may be drawn too, and have no record.
    inputs = checked({str(path): path for path in files}, foreign=list(map(str, files)), upstream=expected)
    drawn = figure(data_of(figure.consumes, job, given))
    # matplotlib is slow to import, so the arguments are checked first.
    from diffbench.figures._style import save_figure

    for path in out:
        with replacing(path) as temporary:
            save_figure(drawn, {path.suffix.removeprefix("."): temporary})
        write_provenance(path, spec=job.as_json(), inputs=inputs)


def shared_out(jobs: Sequence[PlotJob], files: Sequence[Path]) -> list[list[Path]]:
    """Return the files of each job: those that differ only in their ending belong to one figure.

    Raises: UserError if they are not as many figures as jobs, or an ending is not a format.
    """
    figures: dict[Path, list[Path]] = {}
    for path in files:
        if path.suffix not in FORMATS:
            raise UserError(f"--out {path}: the ending is not a format of figures; {', '.join(FORMATS)} are")
        figures.setdefault(path.with_suffix(""), []).append(path)
    if len(figures) != len(jobs):
        raise UserError(f"--out: files of {len(figures)} figures, but the spec asks for {len(jobs)}")
    return list(figures.values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Plot as the command line says."""
    parser = stage_parser(__doc__, read_jobs)
    parser.add_argument("--out", type=Path, nargs="+", required=True, help="files to write: .png, .svg or .pdf")
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="plot"):
        for job, out in zip(given.spec, shared_out(given.spec, given.out), strict=True):
            plot(job, out=out)


if __name__ == "__main__":
    run_stage(main)
