"""What the rules share: the benchmark, where it runs, what identifies a job, and which jobs make which sample sets."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

STARTED = time.time()
ROOT = Path(workflow.basedir)
DEFAULT = f"{ROOT}/workflow/config/digits.yaml"
# Jobs, and the hash of their code, must see this checkout, whatever is installed and wherever they run; a part of
# one's own is looked for where the command was given.
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(
    dict.fromkeys([str(ROOT), os.getcwd(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
).strip(os.pathsep)
# Stages that find this process gone end too, so that no orphan writes where the next run works.
os.environ["DIFFBENCH_PARENT"] = str(os.getpid())

from diffbench.base.digests import spec_digest
from diffbench.base.inputs import checked
from diffbench.benchmark.load import load_benchmark
from diffbench.base.devices import chosen_device
from diffbench.base.names import REAL
from diffbench.base.errors import UserError
from diffbench.benchmark.foreign import glanced, snakemake_specs
from diffbench.benchmark.graph import Artifact, Graph
from diffbench.benchmark.paths import place_of
from diffbench.jobs.plot import FigurePart, PlotJob
from diffbench.jobs.tabulate import ComparedSet, ModelRow, TableJob, TablePart
from diffbench.benchmark.protocols import measures
from diffbench.benchmark.outdated import say_outdated
from diffbench.benchmark.places import home_of, remember_configuration, require_own_tree


def stop(message):
    """End with one line on stderr and exit code 2."""
    sys.stderr.write(f"diffbench: {message}\n")
    sys.stderr.flush()
    sys.exit(2)


def files_of_config():
    """Return the files that say what the benchmark is: DIFFBENCH_CONFIG's, those of --configfile, or the default.

    Snakemake's own reader takes 010 for 8, --config's nested numbers for texts, and runs Python that a file holds. So
    files are read again here, and one that DIFFBENCH_CONFIG names is read here alone.
    """
    named = os.environ.get("DIFFBENCH_CONFIG")
    if named and workflow.overwrite_configfiles:
        raise UserError(f"DIFFBENCH_CONFIG names {named}, and --configfile another benchmark; give one")
    if named:
        os.environ["DIFFBENCH_CONFIG"] = str(Path(named).absolute())  # for jobs that start elsewhere
    return [named] if named else workflow.overwrite_configfiles or [DEFAULT]


def benchmark_of_config():
    """Return the validated benchmark, --config laid over it."""
    settings = [str(setting) for setting in workflow.config_settings.config_args or ()]
    return load_benchmark(*map(os.path.relpath, files_of_config()), settings=settings)


def require_writable(folder):
    """Raise UserError where files cannot be made in a folder, or where it is none."""
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not nearest.is_dir():
        raise UserError(f"{nearest}: is no folder; remove it or run elsewhere")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"{nearest}: cannot be written; fix permissions or run in a copy elsewhere")


# A --configfile or DIFFBENCH_CONFIG replaces the default benchmark; a lone --config changes values of it.
# The default benchmark's results are at home; any other has a tree, records and locks of its own.
try:
    bench = benchmark_of_config()
    HOME = home_of(bench.name, ROOT)
    for folder in (HOME, HOME / "results", HOME / ".snakemake"):
        require_writable(folder)
except UserError as error:
    stop(error)

# A comparison's file lies in the tree itself.
CONFIGURED_BY = Path(files_of_config()[-1]).absolute()
OF_COMPARISON = CONFIGURED_BY.is_relative_to(HOME / "results" / "compared")
try:
    if not OF_COMPARISON:
        require_own_tree(HOME, CONFIGURED_BY, bench.name)
except UserError as error:
    stop(error)

if "DIFFBENCH_CONFIG" in os.environ:

    envvars:
        "DIFFBENCH_CONFIG",


if HOME != Path.cwd():

    workdir: str(HOME)


def forget_dead_runs():
    """Clear Snakemake's locks if no run is alive here. Returns: a file whose lock lives as long as this process."""
    Path(".snakemake").mkdir(exist_ok=True)
    alive = open(".snakemake/alive", "w")
    try:
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass  # another run is alive, and its locks are in force
    else:
        for lock in Path(".snakemake/locks").glob("*.lock"):
            lock.unlink(missing_ok=True)
    fcntl.flock(alive, fcntl.LOCK_SH)
    return alive


def unlink_records():
    """Make plain files of records that DVC has linked into its cache: Snakemake writes records in place."""
    for record in Path(".snakemake/metadata").rglob("*"):
        if record.is_symlink() or (record.is_file() and record.stat().st_nlink > 1):
            content = record.read_bytes()
            record.unlink()
            record.write_bytes(content)


try:
    ALIVE = forget_dead_runs()
    unlink_records()
except OSError as error:
    stop(f"{error.filename}: {error.strerror}; free space or fix permissions")

linked = Path("results/table2.csv")
if linked.is_file() and not linked.is_symlink() and not os.access(linked, os.W_OK):
    sys.stderr.write(
        "diffbench: results are write-protected links into DVC's cache; to repeat a job that made one, first run "
        "`dvc config cache.type reflink,copy && dvc checkout --relink`\n"
    )

# auto: what the jobs will find on this machine.
DEVICE = bench.execution.device
GPU = int((chosen_device("auto").type if DEVICE == "auto" else DEVICE) == "cuda")

# Where the data set is read from; nothing for one that ships with a package.
DATA = str(bench.data_path or "")

graph = Graph(bench, HOME, ROOT, notice=lambda line: sys.stderr.write(f"diffbench: {line}\n"))
try:
    graph.read_foreign()
except UserError as error:
    stop(error)


def text_of(spec):
    """Return a spec as one text in a fixed order, since Snakemake compares parameters as a set of values.

    It holds the digests of all that is upstream: a file in the middle of the graph that is gone is no reason for
    Snakemake to run anything, so what rests on it must be seen to be out of date by itself.
    """
    return json.dumps(spec, sort_keys=True)


def paths(artifacts):
    """Return the paths of artifacts: of one, of several, or nothing of None."""
    if artifacts is None:
        return []
    return artifacts.path if isinstance(artifacts, Artifact) else [made.path for made in artifacts]


def records(*artifacts):
    """Return the paths of the records of artifacts, of those that have one."""
    return [made.record for made in artifacts if made is not None and made.spec is not None]


def provenance_of(*paths):
    """Return the paths of the `.json` beside artifacts."""
    return [f"{path}.json" for path in paths]


def one_of(places):
    """Return a constraint for a path's first wildcard, that it and what follows be one of the places."""
    return f"(?=(?:{'|'.join(map(re.escape, places))})/)[^/]+"


def scale_of(row):
    """Return the guidance scale of a row, or of wildcards that name one, None where it is not guided."""
    guidance = bench.variant(row.model).guidance
    return None if guidance is None else guidance.part.scale


def entry_of(row):
    """Return the name of the entry in the configuration whose sample set a row, or wildcards, name."""
    return row.model.partition("@")[0]


def grouped(rows):
    """Return {(tree, steps): places}: the numbers of steps that one job makes together, and the folders where it does so.

    Sets of a comparison are made one by one: which others were asked for must not decide whether one is made again.
    """
    together = {}
    for row in rows:
        tree = graph.tree_of(row)
        apart = None if bench.execution.group_steps and tree == "results" else row.steps
        together.setdefault((tree, place_of(row), apart), set()).add(row.steps)
    jobs = {}
    for (tree, place, _), steps in together.items():
        jobs.setdefault((tree, tuple(sorted(steps))), []).append(place)
    return jobs


def rule_name(stage, tree, steps):
    """Return the name of the rule that makes sets of these numbers of steps together."""
    apart = "" if tree == "results" else f"compared_{Path(tree).name}_"
    return f"{apart}{stage}_" + "_".join(map(str, steps))


def print_reasons_of_failure():
    """Repeat at the end, where a person looks, the one line with which a stage ended; a full disk swallows logs too."""
    logs = [*Path("results/logs").rglob("*.log"), *Path("results/compared").glob("n*/logs/**/*.log")]
    for log in sorted(logs):
        if log.stat().st_mtime >= STARTED - 1:
            for line in log.read_text(errors="replace").splitlines():
                if line.startswith("diffbench: "):
                    sys.stderr.write(f"{line}\n")
    if shutil.disk_usage(".").free < 2**20:
        sys.stderr.write(
            f"diffbench: {Path.cwd()}: the disk is full; free space, and the same command goes on\n"
        )


# The table's rows, and with them the sample sets that upsamplers start from.
ROWS, SETS = bench.sample_sets(), bench.sampled_sets()

# What a comparison asks for beside the table, and those of its sets that the table does not hold.
ASKED, APART = bench.compared_sets(), bench.sets_apart()
ROW_AT = {(graph.tree_of(row), place_of(row), row.steps): row for row in (*SETS, *APART)}


def row_at(tree, wildcards, steps):
    """Return the row that wildcards name, below a tree, at a number of steps."""
    place = "{0.model}/train{0.train_seed}/{0.sampler}/sample{0.sample_seed}".format(wildcards)
    return ROW_AT[tree, place, int(steps)]


wildcard_constraints:
    extractor="[^/]+",
    classifier="[^/]+",
    protocol="[^/]+",
    model="[^/]+",
    sampler="[^/]+",
    split="test|train",
    tree=r"results(/compared/n\d+)?",
    steps=r"\d+",
    train_seed=r"-?\d+",
    sample_seed=r"-?\d+",
