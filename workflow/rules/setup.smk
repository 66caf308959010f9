"""What is settled before the rules: the environment of jobs, the benchmark, its tree of results, and what is in it."""

import os
import subprocess
import sys
import time
from pathlib import Path

BEGAN = time.time()
ROOT = Path(workflow.basedir)
# Jobs, and the hash of their code, must see this checkout, whatever is installed and wherever they run; your own parts
# are looked for where the command was given.
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(
    dict.fromkeys([str(ROOT), os.getcwd(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
).strip(os.pathsep)
# Stages that find this process gone end too, so that no orphan writes where the next run works.
os.environ["DIFFBENCH_PARENT"] = str(os.getpid())

from diffbench.base.devices import chosen_device
from diffbench.benchmark import paths
from diffbench.benchmark.graph import Graph
from diffbench.benchmark.guard import require_own_results
from diffbench.benchmark.outdated import said
from diffbench.benchmark.places import VARIABLE, remember_configuration
from diffbench.benchmark.report import Report
from diffbench.benchmark.start import one_line_errors, say, started
from diffbench.benchmark.tree import forget_dead_runs, reasons_of_failure, unlink_records, write_protected

# -- the benchmark: a --configfile or DIFFBENCH_CONFIG replaces the default one; a lone --config changes values of it

with one_line_errors():
    start = started(
        workflow.overwrite_configfiles,
        [str(setting) for setting in workflow.config_settings.config_args or ()],
        ROOT,
    )
bench, HOME = start.benchmark, start.home

if VARIABLE in os.environ:
    os.environ[VARIABLE] = str(start.file)  # for jobs that start elsewhere

    envvars:
        VARIABLE,


# The default benchmark's results are at home; any other has a tree, records and locks of its own.
if HOME != Path.cwd():

    workdir: str(HOME)


# -- the tree

with one_line_errors():
    ALIVE = forget_dead_runs(HOME, say)  # holds its lock until this process ends
    unlink_records(HOME)
if note := write_protected(HOME / paths.table("table2")):
    say(note)

# -- the graph, and whether what is in the tree belongs to it

graph = Graph(bench, HOME, ROOT, notice=say)
summary = Report(graph)
with one_line_errors():
    graph.read_foreign()
    made = [*graph.everything(), *summary.everything()]
    made_again = require_own_results(HOME, made, summary.tables(), sys.argv)
if made_again:
    sys.stderr.write(f"{said(made_again)}\n")

# -- what rules give to jobs beside files

DEVICE = bench.execution.device
# auto: what the jobs will find on this machine.
GPU = int((chosen_device("auto").type if DEVICE == "auto" else DEVICE) == "cuda")
THREADS = bench.execution.threads
CHECKPOINT_EVERY = bench.execution.checkpoint_every
CACHE = ".cache"
# Where the data set is read from; nothing for one that ships with a package.
DATA = str(bench.data_path or "")
