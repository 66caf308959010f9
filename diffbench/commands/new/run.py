"""`diffbench new`: a commented benchmark file for a data set, sized for a stated time on this machine."""

import os
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.user_path import user_path
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.load import parse_benchmark
from diffbench.benchmark.places import folder_of, located
from diffbench.benchmark.yaml_file import parse_yaml
from diffbench.commands.missing import TABLE, making
from diffbench.commands.new.facts import Facts, facts_of
from diffbench.commands.new.place import place_of, schema_path, written_path
from diffbench.commands.new.price import Prices
from diffbench.commands.new.scoring import Scoring, scoring_of
from diffbench.commands.new.sizes import Sizes, fitting
from diffbench.commands.new.text import THREADS, Head, yaml_text
from diffbench.commands.plan.schedule import side_by_side
from diffbench.commands.plan.words import jobs_beside
from diffbench.commands.workflow import SNAKEFILE


@dataclass(frozen=True)
class Asked:
    """What the user asks for: data, minutes, and where the file goes. Each None is chosen here.

    workers: the number of jobs that run at the same time.
    """

    folder: Path | None
    data: str | None
    minutes: float
    workers: int | None = None
    out: Path | None = None
    name: str | None = None
    size: int | None = None
    weights: Path | None = None

    @property
    def options(self) -> str:
        """The options that were given, except those that name the data, as one would type them."""
        given = {
            "--minutes": f"{self.minutes:g}",
            "--out": self.out,
            "--name": self.name,
            "--weights": self.weights,
            "--workers": self.workers,
        }
        return " ".join(f"{name} {shlex.quote(str(value))}" for name, value in given.items() if value is not None)


def new(asked: Asked) -> str:
    """Write a benchmark's file, and return what was chosen and the command that runs it.

    Raises: UserError if the file exists, the data cannot be used, or the time is too short.
    """
    # All imports are done, and nothing else yet: a job of a stage has the same start.
    start_up = time.process_time()
    if not asked.minutes > 0:
        raise UserError(f"--minutes {asked.minutes:g}: must be above 0")
    facts = facts_of(asked.folder, asked.data, asked.size)
    name, out = place_of(facts.suggested, asked.name, asked.out)
    scoring = scoring_of(facts, asked.weights)
    workers = asked.workers or side_by_side("auto", THREADS)
    draft = _Draft(asked, facts, scoring, name, out, workers)
    sys.stderr.write("timing networks on this machine, for some seconds\n")
    prices = Prices(draft.benchmark, facts, workers, start_up)
    sizes = fitting(facts, 60 * asked.minutes, prices)
    _write(out, draft.text(sizes))
    return _summary(draft, sizes, prices)


@dataclass(frozen=True)
class _Draft:
    """All of a benchmark's file except its sizes."""

    asked: Asked
    facts: Facts
    scoring: Scoring
    name: str
    out: Path
    workers: int

    def text(self, sizes: Sizes) -> str:
        """Return the file's text."""
        path = None if self.facts.path is None else written_path(self.facts.path, self.out)
        asked, schema = self.asked, schema_path(self.out)
        head = Head(self.name, path, str(self.out), asked.options, asked.minutes, self.workers, schema)
        return yaml_text(head, self.facts, self.scoring, sizes)

    def benchmark(self, sizes: Sizes) -> Benchmark:
        """Return the benchmark of the file. Raises: UserError if the data's path cannot be written into it."""
        content = located(parse_yaml(self.text(sizes), str(self.out)), folder_of(self.out))
        benchmark = parse_benchmark(content, str(self.out))
        path = self.facts.path
        if path is not None and Path(os.path.abspath(benchmark.dataset.path)) != Path(os.path.abspath(user_path(path))):
            raise UserError(f"{path}: this name of a folder cannot be written into a benchmark; rename it")
        return benchmark


def _write(out: Path, text: str) -> None:
    try:
        with open(out, "x") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"{out}: exists already; remove it, or write to another file with --out FILE") from None
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}); write to another file with --out FILE") from None


def _summary(draft: _Draft, sizes: Sizes, prices: Prices) -> str:
    facts, rows = draft.facts, sizes.rows
    count = len(rows.models) * 2 * len(rows.steps)
    minutes = prices.seconds(sizes) / 60
    labels = "no labels" if facts.num_classes is None else f"{facts.num_classes} classes"
    return "\n".join(
        [
            f"written: {draft.out}, benchmark {draft.name}",
            f"data: {facts.num_train:,} images to train on, {facts.num_test:,} held out, {labels}",
            f"images: {sizes.side}x{sizes.side}, {'grey' if facts.channels == 1 else 'colour'}",
            f"models: {', '.join(rows.models)} of {sizes.channels} channels, {sizes.training_steps:,} training steps",
            f"table: {count} rows of {sizes.num_images} images, at {', '.join(map(str, rows.steps))} steps",
            f"features: {draft.scoring.extractor['name']}; the file says what its FID is worth",
            f"expected: about {minutes:.1f} min on this machine, with {jobs_beside(draft.workers)}",
            f"speed: {prices.source}",
            f"for more: raise training.steps, then channels, dataset.size or the steps of runs in {draft.out}",
            *_next(draft.out),
        ]
    )


def _next(out: Path) -> list[str]:
    """Return the command that makes the table, from the working directory, and where to run it if it cannot be here."""
    if Path("Snakefile").is_file():
        return ["next:", f"  {making(TABLE, out)}"]
    if SNAKEFILE.is_file():
        return ["next:", f"  {making(TABLE, out)} --snakefile {shlex.quote(str(SNAKEFILE))}"]
    command = f"snakemake --cores all {TABLE} --configfile {shlex.quote(str(out.absolute()))}"
    return ["next, in a clone of the project, because the installed package has no workflow:", f"  {command}"]
