"""The workflow on Slurm: what jobs ask for, and a whole benchmark on a real cluster of one node."""

import importlib.util
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("slurm_cluster", Path(__file__).with_name("slurm_cluster.py"))
slurm_cluster = sys.modules["slurm_cluster"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(slurm_cluster)

BENCHMARK = Path(__file__).with_name("cluster.yaml")
PROFILE = ("--workflow-profile", "profiles/slurm")
# The test cluster has no database, so it has no accounts, and `sacct` would wait for ever.
WITHOUT_DATABASE = (
    *("--slurm-status-command", "squeue", "--slurm-no-account", "--latency-wait", "10"),
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"),
)
TABLE = "runs/cluster/results/table2.csv"


@pytest.fixture
def tree(fresh):
    """A checkout with the benchmark `cluster`."""
    shutil.copy2(BENCHMARK, fresh.root / "cluster.yaml")
    return fresh


def resources(text, rule):
    """Return what the first job of a rule asks for, by what a dry run said."""
    found = re.search(rf"^ *(?:local)?rule {rule}:$.*?^ *resources: (.*?)$", text, re.MULTILINE | re.DOTALL)
    assert found, text
    return dict(pair.split("=", 1) for pair in found[1].split(", ") if "=" in pair)


def test_jobs_of_a_cluster_ask_for_a_gpu_that_the_submitting_node_lacks(tree):
    text = tree.forked(
        "-n", "all", "--configfile", "cluster.yaml", "--config", "execution={device: auto}", *PROFILE
    ).stdout
    asked = resources(text, "train")
    assert (asked["gpu"], asked["gpu_manufacturer"], asked["nodes"]) == ("1", "nvidia", "1")
    assert int(asked["mem_mb"]) >= 1000 and int(asked["runtime"]) >= 5
    assert "gpu" not in resources(text, "score_samples")
    assert str(tree.root) not in re.sub(r"tmpdir=\S+", "", text).replace(str(tree.root / "runs"), ""), (
        "an absolute path"
    )

    alone = tree.snakemake("-n", "all", "--configfile", "cluster.yaml", "--config", "execution={device: cpu}").stdout
    assert resources(alone, "train")["gpu"] == "0"


@pytest.mark.slow
@pytest.mark.timeout(5400)
@pytest.mark.skipif(bool(slurm_cluster.why_not()), reason=slurm_cluster.why_not())
def test_a_cluster_makes_the_table_of_one_machine_though_a_job_is_cancelled(tree, tmp_path):
    asked = ("table2", "--configfile", "cluster.yaml")
    local = ["snakemake", "--cores", "2", *asked]
    subprocess.run(local, cwd=tree.root, env=tree.environment, check=True, timeout=1800)
    expected = (tree.root / TABLE).read_bytes()
    shutil.rmtree(tree.root / "runs")
    with slurm_cluster.started(tmp_path / "slurm") as cluster:
        command = ["snakemake", *asked, *PROFILE, *WITHOUT_DATABASE]
        environment = tree.environment | cluster.environment
        environment["PATH"] = f"{cluster.root}/bin:{tree.environment['PATH']}"
        log = open(tmp_path / "said", "w+")
        run = subprocess.Popen(command, cwd=tree.root, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            cancelled = _cancel_one(cluster, run, "train")
            code = run.wait(timeout=3000)
        finally:
            run.kill()
        said = Path(log.name).read_text()
        assert code == 0, said
        ended = {facts["JobId"]: facts["JobState"] for facts in cluster.ended()}
    assert ended.pop(cancelled) == "CANCELLED"
    assert set(ended.values()) == {"COMPLETED"}, ended
    assert (tree.root / TABLE).read_bytes() == expected
    assert tree.nothing_to_do(*asked), "a run on the login node would repeat jobs"


def _cancel_one(cluster, run, rule):
    """Return the id of a job of a rule after it was cancelled while it ran."""
    while run.poll() is None:
        for job in cluster.running(rule):
            cluster.said("scancel", job)
            return job
        time.sleep(0.5)
    raise AssertionError("the run ended before a job could be cancelled")
