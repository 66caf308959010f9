"""Whether jobs ask for a GPU: here by what this machine has, on a cluster by what the benchmark says."""

import subprocess
import sys

import pytest

from diffbench.benchmark import gpus
from diffbench.benchmark.gpus import asks_for_gpu, device_of_jobs, gpu_is_here


@pytest.mark.parametrize("here", [True, False])
def test_the_submitting_node_does_not_decide_for_a_cluster(monkeypatch, here):
    """A login node without a GPU once sent every job to the CPU."""
    monkeypatch.setattr(gpus, "gpu_is_here", lambda: here)
    assert [asks_for_gpu(device, on_cluster=True) for device in ("auto", "cuda", "cpu")] == [True, True, False]
    assert [asks_for_gpu(device, on_cluster=False) for device in ("auto", "cuda", "cpu")] == [here, True, False]


def test_a_job_that_asked_for_a_gpu_is_told_to_use_it():
    assert [device_of_jobs(device, on_cluster=True) for device in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]
    assert [device_of_jobs(device, on_cluster=False) for device in ("auto", "cuda", "cpu")] == ["auto", "cuda", "cpu"]


def test_a_gpu_is_here_if_its_driver_is_not_hidden_and_torch_is_built_for_it(monkeypatch, tmp_path):
    driver = str(tmp_path / "nvidiactl")
    monkeypatch.setattr(gpus, "version", lambda name: "2.15.0")
    assert not gpu_is_here({}, (driver,))
    (tmp_path / "nvidiactl").touch()
    assert gpu_is_here({}, (driver,)) and gpu_is_here({"CUDA_VISIBLE_DEVICES": "1"}, (driver,))
    assert not gpu_is_here({"CUDA_VISIBLE_DEVICES": ""}, (driver,))
    assert not gpu_is_here({"HIP_VISIBLE_DEVICES": "-1"}, (driver,))
    monkeypatch.setattr(gpus, "version", lambda name: "2.15.0+cpu")
    assert not gpu_is_here({}, (driver,))


def test_the_question_does_not_import_torch():
    code = "import sys\nfrom diffbench.benchmark.gpus import gpu_is_here\ngpu_is_here()\nprint('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
