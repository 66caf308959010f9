"""Shell lines of rules: what a stage is given, whatever letters a path has."""

import json
import os
import subprocess
import sys

import pytest

from diffbench.benchmark.shell_line import call, chained

ODD = "My 'Drive' $(touch ran) \"x\" & y"
STAGE = """
import json, sys

given = sys.argv[1:]
sys.stderr.write("said")
open(given[given.index("--out") + 1], "w").write(json.dumps(given))
"""
SNAKEFILE = """
import sys

ODD, NOTHING = {odd!r}, ""


rule one:
    output:
        out=ODD + "/made.txt",
    log:
        ODD + "/logs/one.log",
    params:
        spec='{{"a": "$HOME"}}',
    shell:
        {line!r}
"""


def test_a_line_names_each_file_once_and_quotes_it():
    line = call(
        "score", {"--features": "input.features", "--out": "output.scores"}, optional={"--low-res": "input.low"}
    )
    assert line == (
        "log={log:q}; low_res={input.low:q}; exec {sys.executable:q} -m diffbench.stages.score --spec {params.spec:q}"
        ' --features {input.features:q} --out {output.scores:q} ${{low_res:+--low-res "$low_res"}}'
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'
    )


@pytest.mark.parametrize("count, words", [(1, ""), (3, "diffbench.stages._ranks --standalone --nproc-per-node 3 -m ")])
def test_a_line_starts_torchrun_for_several_processes_alone(count, words):
    line = call("sample", {"--out": "output"}, processes="resources.processes")
    shell = line.replace("{resources.processes}", str(count)).replace("{{", "{").replace("}}", "}")
    shell = shell.replace("exec {sys.executable:q}", "echo").replace('2> "$log"', "").replace("{log:q}", "a.log")
    done = subprocess.run(["bash", "-euc", shell], capture_output=True, text=True)
    assert done.stdout.startswith(f"-m {words}diffbench.stages.sample --spec"), done.stderr


def test_the_second_of_a_chain_runs_if_the_first_succeeded():
    def run(first, second):
        return subprocess.run(["bash", "-euc", chained(first, second)], capture_output=True, text=True)

    both = run("x=1; exec echo $x", "x=2; exec echo $x")
    assert (both.stdout.split(), both.returncode) == (["1", "2"], 0)
    one = run("x=1; exec false", "x=2; exec echo $x")
    assert (one.stdout.split(), one.returncode) == ([], 1)


def test_a_rule_in_a_folder_with_an_odd_name_gives_its_stage_the_paths_as_they_are(tmp_path):
    folder = tmp_path / ODD
    (folder / "diffbench/stages").mkdir(parents=True)
    for name, text in {"__init__": "", "stages/__init__": "", "stages/one": STAGE}.items():
        (folder / f"diffbench/{name}.py").write_text(text)
    line = call("one", {"--out": "output.out"}, optional={"--given": "ODD", "--left-out": "NOTHING"})
    (folder / "Snakefile").write_text(SNAKEFILE.format(odd=ODD, line=line))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "one"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    given = json.loads((folder / ODD / "made.txt").read_text())
    options = dict(zip(given[::2], given[1::2], strict=True))
    assert options == {
        "--spec": '{"a": "$HOME"}',
        "--out": f"{ODD}/made.txt",
        "--given": ODD,
        "--run-record": f"{ODD}/logs/one.run.json",
    }
    assert (folder / ODD / "logs/one.log").read_text() == "said"
    assert not list(tmp_path.rglob("ran"))
