"""The script for a CUDA machine: a dry run on the CPU, and what its clock does with parts that fail or do not end."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPT = BENCHMARKS / "cuda.py"

PARTS_THAT_FAIL = """
import sys, time
sys.path.append(sys.argv[1])
from pathlib import Path
from bounded import Book, Run

def endless():
    while True:
        try:
            time.sleep(60)
        except Exception:
            pass  # as libraries do

book = Book(Path("out"), "Title")
run = Run(book, 600)
run.part("first", 10, lambda: 1 / 0)
run.part("second", 0.05, endless)
run.part("third", 10, lambda: book.add("third", "done", value=3))
"""

A_CALL_THAT_DOES_NOT_RETURN = """
import signal, sys, time
sys.path.append(sys.argv[1])
from pathlib import Path
import bounded

bounded.GRACE = 0.1
book = bounded.Book(Path("out"), "Title")
book.add("first", "done")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
bounded.Run(book, 0.1).part("second", 60, lambda: time.sleep(60))
"""


def found(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def test_a_part_that_fails_or_takes_too_long_is_a_line(python, tmp_path):
    done = python(PARTS_THAT_FAIL, BENCHMARKS / "cuda_parts", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, second, third = found(tmp_path / "out")
    assert first["words"].startswith("FAILED: ZeroDivisionError: division by zero") and first["failed"]
    assert second["words"].startswith("FAILED: OutOfTimeError: not done after 0 s")
    assert (third["part"], third["words"], third["value"]) == ("third", "done", 3)
    summary = (tmp_path / "out/summary.md").read_text()
    assert summary.startswith("# Title\n\n## first\n\n- FAILED: ") and summary.endswith("## third\n\n- done\n")


def test_a_call_that_does_not_return_ends_with_the_clock(python, tmp_path):
    done = python(A_CALL_THAT_DOES_NOT_RETURN, BENCHMARKS / "cuda_parts", cwd=tmp_path)
    assert done.returncode == 1
    first, last = found(tmp_path / "out")
    assert first["words"] == "done" and "a call did not return before the end" in last["words"]


def test_without_a_gpu_it_says_so(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        pytest.skip("there is a CUDA device")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "--dry-run" in done.stderr
    assert not (tmp_path / "cuda_bench").exists()


@pytest.fixture
def cifar10(tmp_path: Path) -> Path:
    """A folder with CIFAR-10's layout, and a few random pictures."""
    folder = tmp_path / "cifar10"
    folder.mkdir()
    draws = np.random.default_rng(0)
    for split, count in (("train", 20), ("test", 10)):
        cells = []
        for pixels in draws.integers(0, 256, (count, 32, 32, 3), np.uint8):
            stream = io.BytesIO()
            Image.fromarray(pixels).save(stream, "PNG")
            cells.append({"bytes": stream.getvalue(), "path": ""})
        kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
        columns = {"img": pyarrow.array(cells, kind), "label": pyarrow.array([i % 10 for i in range(count)])}
        pyarrow.parquet.write_table(pyarrow.table(columns), folder / f"{split}.parquet")
    return folder


@pytest.mark.slow
def test_a_dry_run_does_every_part(cifar10, tmp_path):
    command = [sys.executable, SCRIPT, "--dry-run", "--minutes", "8", "--data", cifar10, "--out", tmp_path / "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = found(tmp_path / "out")
    by_part = {line["part"]: line for line in lines}
    assert list(by_part) == [
        *("machine", "ceiling", "train", "against", "sample", "data", "extract", "score", "train on data", "end")
    ]
    for part in ("train", "sample"):
        one = by_part[part]
        assert one["tflops"] * 1e12 == pytest.approx(one["images_per_second"] * one["flop_per_image"])
    # A share of a tiny step is mostly noise.
    assert by_part["against"]["skipped"] and abs(by_part["data"]["share"]) < 1
    assert {line["of"] for line in lines if line["part"] == "score"} == {"fid", "kid", "precision", "recall"}
    assert by_part["train on data"]["file"] == "samples.png"
    picture = np.asarray(Image.open(tmp_path / "out/samples.png"))
    assert picture.shape == (198, 198, 3) and picture.std() > 1
    assert "0 failures" in by_part["end"]["words"]
    assert (tmp_path / "out/summary.md").read_text().count("\n## ") == len(by_part)


@pytest.mark.slow
def test_a_run_without_time_ends_with_lines_for_what_it_left_out(cifar10, tmp_path):
    command = [sys.executable, SCRIPT, "--dry-run", "--minutes", "0", "--data", cifar10, "--out", tmp_path / "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    said = [line["words"] for line in found(tmp_path / "out")]
    assert sum("OutOfTimeError: no time was left" in words for words in said) >= 6
