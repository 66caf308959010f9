"""The command: it makes missing sample sets through the workflow, and compares samplers with a baseline."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.provenance_file import read_provenance
from diffbench.base.records import read_records
from diffbench.base.writing import replacing
from diffbench.benchmark import paths
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.places import (
    CONFIGURATION,
    folder_of,
    home_of,
    located,
    remember_configuration,
    require_default,
    require_own_tree,
)
from diffbench.benchmark.yaml_file import read_yaml, write_yaml
from diffbench.commands.compare_samplers.answers import report, write_answers
from diffbench.commands.compare_samplers.question import Laid, Question, laid_over
from diffbench.commands.workflow import make, require_workflow
from diffbench.comparison.metrics import written_name
from diffbench.comparison.pairs import Pairs
from diffbench.comparison.samplers import Answer, answered
from diffbench.jobs.tabulate import TableJob


def compare_samplers(config: Path, question: Question, *, cores: str = "all") -> str:
    """Write the table, the verdicts (CSV) and the figure of a comparison, and return it as text.

    Raises: UserError; if the question makes no sense, before any work.
    """
    if cores != "all" and not (cores.isdecimal() and int(cores)):
        raise UserError(f"--cores {cores}: is neither a number of processes nor all")
    require_workflow()
    require_default(config)
    question = dataclasses.replace(question, metrics=tuple(dict.fromkeys(map(written_name, question.metrics))))
    laid = laid_over(located(read_yaml(config), folder_of(config)), question, str(config))
    home = home_of(laid.benchmark.name)
    file, log = (home / paths.comparison(laid.name, name) for name in ("benchmark.yaml", "snakemake.log"))
    # The workflow cannot see it: it is given the comparison's file, which lies in the tree itself.
    require_own_tree(home, config, laid.benchmark.name)
    _tell_what_is_missing(laid.benchmark, home)
    with replacing(file) as temporary:
        temporary.write_text(write_yaml(laid.content))
    if not (home / CONFIGURATION).is_file():
        remember_configuration(home, config.absolute())
    targets = _targets(laid)
    make(targets, file, cores=cores, log=log)
    verdicts, answers = _answers(laid, question, home)
    written = [verdicts, *(home / target for target in targets)]
    return report(answers) + "\n\nwritten: " + ", ".join(str(_shortest(path)) for path in written)


def _targets(laid: Laid) -> list[str]:
    """Return the files that the workflow must make: the table of all sets and, if FID is measured, a figure."""
    figures = [paths.comparison_figure(laid.name)] if laid.benchmark.compares_fid else []
    return [paths.comparison_table(laid.name), *figures]


def _answers(laid: Laid, question: Question, home: Path) -> tuple[Path, Sequence[Answer]]:
    """Compute the verdicts from the scores of the table, write them, and return their file and them."""
    benchmark, table_file = laid.benchmark, home / paths.comparison_table(laid.name)
    made = read_provenance(table_file)
    protocols = {name: protocol for name, (_, protocol) in benchmark.protocols.items()}
    pairs = Pairs(protocols, home, TableJob.read(made["spec"], str(made.source)).sets)
    inputs = checked({path: home / path for path in made["inputs"]})
    places = [(row.model, row.steps) for row in benchmark.compared_sets()]
    answers = answered(read_records(inputs.paths.values()), places, laid.entries, question.metrics, pairs)
    # A record names inputs by their paths in the tree, which are the same on every machine.
    inputs = dataclasses.replace(inputs, paths={place: Path(place) for place in inputs.paths})
    asked = {"benchmark": benchmark.name, "question": dataclasses.asdict(question)}
    return write_answers(table_file.parent, answers, spec=asked, inputs=inputs), answers


def _tell_what_is_missing(benchmark: Benchmark, home: Path) -> None:
    """Print on stderr which models will be trained first, since that may take days."""
    asked = benchmark.compared_sets()
    used = {(benchmark.variant(row.model).of, row.train_seed) for row in asked}
    for model, seed in benchmark.trained_models():
        weights = home / paths.weights(model, seed)
        if (model, seed) in used and not weights.is_file():
            sys.stderr.write(f"diffbench: {model}, train seed {seed}, has no weights yet: it will be trained first\n")


def _shortest(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
