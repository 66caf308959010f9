"""`diffbench adopt` on a tree that the workflow made: changed code that changes no byte, and code that does."""

import sys

import pytest

SAMPLE, DDIM = "diffbench/stages/sample.py", "diffbench/samplers/ddim.py"

FROM_THE_OTHER_SIDE = """

def _mirrored(self, denoiser, chain, x_T, noise, call=Ddim.__call__):
    yield from call(self, denoiser, chain, -x_T, noise)


Ddim.__call__ = _mirrored
"""


def adopt(tree, *arguments, expect=0):
    return tree.run(sys.executable, "-m", "diffbench.cli", "adopt", *arguments, expect=expect)


def append(tree, path, text):
    tree.write(path, (tree.root / path).read_text() + text)


@pytest.fixture
def small(fresh):
    """A checkout in which a table of one model has been made."""

    def one_model(config):
        run = config["runs"][0] | {"models": ["ddpm"], "samplers": ["ddim"], "steps": [2, 3], "num_images": 100}
        config["runs"] = [run]

    fresh.configure(one_model)
    fresh.snakemake()
    return fresh


def files(tree):
    return {path: path.read_bytes() for path in (tree.root / "results").rglob("*") if path.is_file()}


@pytest.mark.slow
def test_changed_code_of_the_same_bytes_is_adopted_and_of_others_is_not(small):
    assert small.nothing_to_do()
    made = {path: content for path, content in files(small).items() if path.suffix != ".json"}

    append(small, SAMPLE, "\nUNUSED = 0\n")
    said = small.snakemake("-n").stderr
    assert "2 sample (ddpm): the code of stage sample changed" in said
    assert "2 extract (ddpm): because what it is made from is" in said and "`diffbench adopt` keeps" in said
    done = adopt(small, "--rerun", "2")
    # Both sample sets, what was made of them, and the table; not data, weights and their scores.
    assert done.stdout.count("made again, the same bytes") == 2 and "0 left alone" in done.stdout
    assert small.nothing_to_do()
    assert {path: content for path, content in files(small).items() if path.suffix != ".json"} == made
    assert small.run(sys.executable, "-m", "diffbench.cli", "verify").returncode == 0
    assert "0 artifacts adopted" in adopt(small).stdout and small.nothing_to_do()

    before = files(small)
    append(small, DDIM, FROM_THE_OTHER_SIDE)
    failed = adopt(small, "--rerun", "1", expect=1)
    line, last = failed.stdout.splitlines()
    assert "results/samples/ddpm/train0/ddim/sample0/" in line and "made again, it differs" in line
    assert last.startswith("nothing was adopted, since these bytes changed") and files(small) == before
