"""The memory that the plan expects of a training is what a process on the CPU takes.

`uv run pytest tests/commands/test_plan_memory.py -s` prints both.
"""

import json
import subprocess
import sys

import pytest

CASES = {"mnist iddpm at 64 images": ("mnist", "iddpm", 64), "cifar10 iddpm at 8 images": ("cifar10", "iddpm", 8)}

MEASURED = """
import json, sys
from pathlib import Path
import torch
from diffbench.benchmark.load import load_benchmark
from diffbench.commands.plan.data import known_data
from diffbench.commands.plan.memory import PROCESS, Training, Way
from diffbench.commands.plan.networks import model_network
from diffbench.commands.steps import built, trainer_of

def resident(line):
    text = Path("/proc/self/status").read_text()
    return 1024 * int(next(row.split()[1] for row in text.splitlines() if row.startswith(line)))

def steps(benchmark, name, batch, count):
    entry, known = benchmark.models[name], known_data(benchmark)
    network = built(entry, known)
    trainer = trainer_of(benchmark, entry, network, known, batch, torch.device("cpu"))
    for _ in range(count):
        trainer.advance()

torch.set_num_threads(1)
small = load_benchmark(Path("workflow/config/smoke.yaml"))
steps(small, next(iter(small.models)), 2, 1)  # What the libraries take is not what is measured.
before = resident("VmRSS")
file, name, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
benchmark = load_benchmark(Path(f"workflow/config/{file}.yaml"))
steps(benchmark, name, batch, 2)
counted = model_network(benchmark, name, known_data(benchmark))
expected = Training(name, counted, batch, 1, "float32", False).needs(Way()) - PROCESS
print(json.dumps([expected, resident("VmHWM") - before]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
@pytest.mark.parametrize("case", CASES)
def test_a_training_takes_the_memory_that_is_expected(request, case):
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, CASES[case])],
        cwd=request.config.rootpath,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected, measured = json.loads(done.stdout.splitlines()[-1])
    print(f"{case}: expected {expected / 2**20:,.0f} MiB, measured {measured / 2**20:,.0f} MiB")
    assert expected == pytest.approx(measured, rel=0.25)
