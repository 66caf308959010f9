"""`diffbench report`: one HTML file with the tables, figures, samples and provenance of a folder of results."""

import os
import shlex
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.base.writing import replacing
from diffbench.benchmark.paths import PAGE
from diffbench.benchmark.places import CONFIGURATION, DEFAULT_NAME, project_of
from diffbench.commands.missing import way_to
from diffbench.commands.report.about import facts_of, models_of, protocols_of
from diffbench.commands.report.cost import cost_facts, cost_tables, read_cost
from diffbench.commands.report.figures import figure_places, read_figures
from diffbench.commands.report.grids import read_grids
from diffbench.commands.report.records import Tree, files_of
from diffbench.commands.report.tables import Read, read_tables
from diffbench.page.contents import Contents, Fact
from diffbench.page.html import page_html
from diffbench.page.itables_bundle import bundle


def report(results: Path, out: Path | None = None) -> Path:
    """Write the page of a folder of results, and return its path. out: None for the folder itself.

    Raises: UserError if there are no results, a file is damaged, or itables is not installed.
    """
    results = results / RESULTS if (results / RESULTS).is_dir() else results
    if not results.is_dir():
        raise UserError(f"{results}: no such folder of results; {way_to(results)}")
    bundle()
    text = page_html(contents_of(results))
    out = out or results / Path(PAGE).name
    if out.is_dir():
        raise UserError(f"--out: {out} is a folder; give the path of a file")
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return out


def contents_of(results: Path) -> Contents:
    """Return all that the page says of a folder of results. Raises: UserError if a file is damaged or none is here."""
    tree = Tree(results)
    tables, figures = read_tables(tree), read_figures(tree)
    made = [read.sheet.place for read in tables if not read.sheet.missing] + figure_places(tree, figures)
    places = tree.upstream(made or _all(tree))
    if not places:
        raise UserError(f"{results}: no artifacts below it; {way_to(results)}")
    at = {place: number for number, place in enumerate(places)}
    order = [place for read in tables for files in read.files for place in files]
    models, cost = models_of(tree, places, order), read_cost(tree)
    benchmark = _benchmark(tree, tables, places)
    return Contents(
        benchmark=benchmark,
        facts=(Fact("Benchmark", benchmark), *facts_of(tree, places), *cost_facts(cost)),
        models=models.placed(at),
        tables=tuple(read.placed(at) for read in tables),
        figures=tuple(figures),
        grids=read_grids(tree, places, order),
        files=files_of(tree, places, _again(results, benchmark)),
        cost=cost_tables(cost),
        protocols=tuple(protocols_of(tree, places)),
        gaps=tuple(_gaps(tree, places)),
        verify=f"diffbench verify {shlex.quote(_from_project(results.absolute().parent, results))}",
    )


def _all(tree: Tree) -> list[str]:
    """Return the places of all files that have a record, for a tree without tables and figures."""
    records = sorted(tree.results.rglob("*.json"))
    return [tree.place(path.with_suffix("")) for path in records if path.with_suffix("").suffix in (".npz", ".json")]


def _benchmark(tree: Tree, tables: list[Read], places: list[str]) -> str:
    """Return the benchmark's name, which the specs of tables and of scores hold."""
    specs: list[Any] = [(tree.recorded(place) or {}).get("spec", {}) for place in places]
    named = (spec.get("benchmark") or (spec.get("row") or {}).get("benchmark") for spec in specs)
    return str(next((name for name in named if name), tree.results.absolute().parent.name))


def _again(results: Path, benchmark: str) -> str:
    """Return the command that makes one file again, in the project's folder, with {} for the file's place."""
    command = "snakemake --cores all -f {}"
    if benchmark == DEFAULT_NAME:
        return command
    home = results.absolute().parent
    note = home / CONFIGURATION
    config = _from_project(home, home / note.read_text().strip()) if note.is_file() else "YOUR.yaml"
    return f"{command} --configfile {_braced(shlex.quote(config))}"


def _from_project(home: Path, path: Path) -> str:
    """Return a path as it is given in the project's folder; one that is not below it stays absolute."""
    project, whole = project_of(home), os.path.normpath(path.absolute())
    return os.path.relpath(whole, project) if Path(whole).is_relative_to(project) else whole


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _gaps(tree: Tree, places: list[str]) -> list[str]:
    """Return sentences on files that records name and that are not here."""
    gone = [place for place in places if not tree.has(place)]
    sources = {source for place in places for source in tree.sources(place).values()}
    unknown = [source for source in sources if tree.recorded(source) is None and not source.endswith(".json")]
    found = []
    if gone:
        few = ", ".join(gone[:3]) + (", ..." if len(gone) > 3 else "")
        found.append(f"{len(gone)} files have a record here, but are not here themselves: {few}")
    if unknown:
        few = ", ".join(sorted(unknown)[:3]) + (", ..." if len(unknown) > 3 else "")
        found.append(
            f"{len(unknown)} files that records name have no record here, so the chain ends before them: {few}"
        )
    return found
