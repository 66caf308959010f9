"""Exit codes as a shell sees them, of a process, for every code that docs promise."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diffbench.diffusion.spacings import respaced

DIFFBENCH = Path(sys.executable).with_name("diffbench")
LIAR = """
from dataclasses import dataclass
from diffbench.samplers.ddim import Ddim

@dataclass(frozen=True)
class Liar(Ddim):
    order = 2
"""


def installed(*arguments, cwd, timeout=120):
    """Return what the installed command ended with, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(cwd), "OMP_NUM_THREADS": "1"}
    command = [DIFFBENCH, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["sample", "--help"], ["protocols"]])
def test_help_and_what_is_done_is_0(tmp_path, arguments):
    done = installed(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chek"], "No such command 'chek'"),
        (["check", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["compare", "a/b/1", "c/d/1"], "no folder 'results' here"),
        (["adopt", "nowhere"], "nowhere: no folder of results"),
        (["oracle", "--sampler", "nowhere.Nothing"], "nowhere"),
        (["import", "nowhere.pt"], "nowhere.pt"),
        (
            ["tabulate", "--spec", '{"table": {"name": "table2"}}', "--scores", "a.json", "--out", "t.csv"],
            "a.json: no such",
        ),
    ],
)
def test_a_mistake_is_2_and_one_line(diffbench, tmp_path, arguments, said):
    done = diffbench(*arguments, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr and done.stdout == ""
    assert done.stderr.startswith("diffbench: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "usage", "said"),
    [
        (["check", "--nothing"], "check [OPTIONS] [FILE]", "No such option: --nothing"),
        (["conform"], "conform [OPTIONS] {PATH}...", "Missing argument 'PATH'."),
        (["compare", "a/b/1"], "compare [OPTIONS] {A} {B}", "Missing argument 'B'."),
        (["compare-samplers"], "compare-samplers --candidate NAME --baseline NAME", "Missing option '--candidate'."),
        (["plan", "--workers", "x"], "plan [OPTIONS] [FILE]", "Invalid value for '--workers'"),
        (["import"], "import [OPTIONS] [SOURCE]", "import: say what"),
        (["train"], "train [-h] --spec FILE", "the following arguments are required: --spec, --data, --out, --log-csv"),
    ],
)
def test_wrong_arguments_are_2_and_one_line_below_the_usage(diffbench, tmp_path, arguments, usage, said):
    done = diffbench(*arguments, cwd=tmp_path)
    *shown, last = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert shown[0].lower().startswith("usage: ") and f"diffbench {usage}" in " ".join(" ".join(shown).split())
    assert last.startswith("diffbench") and said in last


def test_conform_is_0_1_or_2(diffbench, tmp_path):
    kept = {f"1000|{spacing}": [int(t) for t in respaced(1000, spacing)] for spacing in ("10", "ddim25")}
    contents = {
        "good": json.dumps(kept),
        "wrong": json.dumps({**kept, "1000|10": [t + 1 for t in kept["1000|10"]]}),
        "unreadable": "not JSON",
        "empty": "{}",
    }
    for name, content in contents.items():
        (tmp_path / f"{name}.json").write_text(content)
    done = diffbench("conform", "good.json", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("good.json: ok")
    done = diffbench("conform", "good.json", "unreadable.json", "empty.json", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 2
    assert "unreadable.json: not a map" in done.stderr and "empty.json: holds nothing to compare" in done.stderr
    done = diffbench("conform", ".", cwd=tmp_path)
    assert done.returncode == 1 and "good.json: ok" in done.stdout and "wrong.json: FAILED" in done.stdout


@pytest.mark.slow
def test_the_oracle_of_a_sampler_that_lies_about_its_order_is_1(tmp_path):
    (tmp_path / "own.py").write_text(LIAR)
    done = installed("oracle", "--sampler", "own.Liar", "--out", "out", cwd=tmp_path, timeout=500)
    assert done.returncode == 1 and "NOT AS EXPECTED" in done.stdout
    assert installed("oracle", "--sampler", "ddim", "--out", "out", cwd=tmp_path, timeout=500).returncode == 0


def test_what_a_command_leaves_with_is_what_the_process_leaves_with(tmp_path):
    """The oracle's way out without its minutes: the verdicts are given."""
    program = (
        "import os; from diffbench import cli; import diffbench.commands.oracle.run as oracle\n"
        "for verdict in (True, False):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        oracle.oracle = lambda samplers, out: ('report', verdict)\n"
        "        cli.main()\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", program, "oracle"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "report\n0\nreport\n1\n")


def test_ctrl_c_is_130_and_one_line(tmp_path):
    program = (
        "import time; from diffbench import cli; import diffbench.commands.costs as costs\n"
        "costs.costs = lambda logs: (print('begun', flush=True), time.sleep(60))\n"
        "cli.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "costs"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background of a shell has it ignored, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130 and said.splitlines() == [
        "diffbench: interrupted; the same command goes on from the last checkpoint"
    ]
