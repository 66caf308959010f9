"""All that is done before the rules: the environment of jobs, the benchmark, its tree of results, and their checks."""

import os
import platform
import sys
from pathlib import Path

from snakemake.logging import logger

if sys.stderr is None:  # The run was started without one (2>&-).
    sys.stderr = open(os.devnull, "w")

HERE = Path.cwd()
ROOT = Path(workflow.basedir)
# Jobs, and the hash of their code, must use this checkout, even if another version is installed. Your own parts are
# found in the folder in which the command was given.
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(
    dict.fromkeys([str(ROOT), os.getcwd(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
).strip(os.pathsep)
# A stage ends when this process is gone, so that it does not write to the files of the next run. On another machine the
# number of this process is nobody's or a stranger's, so the machine is named too.
os.environ["DIFFBENCH_PARENT"] = f"{os.getpid()}@{platform.node()}"

# The report comes before all slow imports, so that it can say that the run is alive.
from diffbench.commands.reporting.run import jobs_of, reporting, stages_of

speaker = reporting(workflow, logger, HERE)

from diffbench.benchmark import paths
from diffbench.benchmark.graph import Graph
from diffbench.benchmark.guard import require_own_results
from diffbench.benchmark.outdated import rows_without_place, said
from diffbench.benchmark.places import VARIABLE, remember_configuration
from diffbench.benchmark.report import Report
from diffbench.benchmark.start import check_data, one_line_errors, say, started
from diffbench.benchmark.tree import forget_dead_runs, full_disk, join_run, unlink_records, write_protected
from diffbench.commands.reporting.failures import nearby
from diffbench.commands.reporting.outcome import Outcome, beginning, said as said_at_end, time_line

# -- the benchmark: --configfile or DIFFBENCH_CONFIG replaces the default one; --config changes some of its values

with one_line_errors():
    start = started(
        workflow.overwrite_configfiles,
        [str(setting) for setting in workflow.config_settings.config_args or ()],
        ROOT,
    )
bench, HOME = start.benchmark, start.home

if VARIABLE in os.environ:
    os.environ[VARIABLE] = str(start.file)  # Jobs may start in another folder.

    envvars:
        VARIABLE,


# The default benchmark's results are in the working directory. Any other has its own folder, records and locks.
if HOME != Path.cwd():

    workdir: str(HOME)


# -- the tree

with one_line_errors():
    # Its lock is held until this process ends. A job of a run removes nothing: on some cluster file systems a lock holds
    # on one node only, so that the run which started the job would look dead.
    ALIVE = forget_dead_runs(HOME, say) if workflow.is_main_process else join_run(HOME)
    unlink_records(HOME)
if note := write_protected(HOME / paths.table("table2")):
    say(note)

# -- the graph, and a check that the results in the tree belong to it

graph = Graph(bench, HOME, ROOT, notice=say)
summary = Report(graph)
with one_line_errors():
    graph.read_foreign()
    known = check_data(start, graph, sys.argv)
    made = [*graph.everything(), *summary.everything()]
    made_again = require_own_results(HOME, made, summary.tables(), sys.argv)
if made_again:
    left_out = rows_without_place(HOME, summary.table2, summary.table2.files("scores"))
    sys.stderr.write(f"{said(made_again, left_out)}\n")


def result():
    """Return the lines on the result of this run; a comparison's command says its own."""
    if start.of_comparison:
        return []
    dag = workflow.dag
    asked = [str(path) for job in dag.targetjobs for path in (job.output or job.input)]
    return said_at_end(Outcome(HOME, HERE, asked, [str(path) for job in dag.jobs for path in job.output]))


speaker.reads("building the graph of jobs", result)

# -- arguments of jobs that are not files

THREADS = bench.execution.threads
CHECKPOINT_EVERY = bench.execution.checkpoint_every
PROCESSES = bench.execution.processes
MICRO_BATCH = bench.execution.micro_batch or ""
SHARDED = "yes" if bench.execution.sharded else ""
RECOMPUTE = "yes" if bench.execution.activation_checkpointing else ""
CACHE = ".cache"
# The path of the data set; "" if it ships with a package.
DATA = str(bench.data_path or "")
