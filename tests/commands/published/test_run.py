"""`diffbench published`, as people call it: a table, what is not comparable, published numbers, and mistakes."""

import numpy as np
import pytest

from diffbench.base.arrays import save_npz
from diffbench.base.provenance import write_provenance
from diffbench.base.records import Estimate
from diffbench.commands.report.records import Tree
from diffbench.commands.report.tables import read_tables


def test_digits_have_nothing_to_be_compared_with(diffbench, tmp_path):
    data = tmp_path / "results/data/train.npz"
    data.parent.mkdir(parents=True)
    save_npz(data, {"arr_0": np.zeros((2, 8, 8, 1), np.uint8)})
    write_provenance(data, spec={"dataset": {"name": "digits"}}, facts={"shape": [8, 8, 1], "num_images": 2})
    for place in ((), (".",), ("results",)):
        said = diffbench("published", *place, cwd=tmp_path)
        assert said.returncode == 0 and said.stdout.count("\n") == 1
        assert "published scores of digits at 8 x 8 pixels, so there is nothing to compare with" in said.stdout


def test_a_table_is_printed_with_intervals_and_the_rest_on_request(diffbench, made):
    tree = made("cifar10", values={("ddpm", "ancestral", 1000, None, "fid"): Estimate(3.21, 3.12, 3.3)})
    tree.rows()
    said = diffbench("published", cwd=tree.home)
    assert said.returncode == 0, said.stderr
    (line, *_) = [line for line in said.stdout.splitlines() if "| ddpm | ancestral | 1000 |" in line]
    assert "| 3.21 (3.12 to 3.30) | 3.17 | 0.04 (-0.06 to 0.14) | agrees | DDPM, Table 1, 2 |" in line
    assert "not comparable:" not in said.stdout and "--all prints them" in said.stdout
    every = diffbench("published", "results/published.csv", "--all", cwd=tree.home).stdout
    assert "not comparable: steps (100 against 1000)" in every and line in every
    (shown,) = [one for one in read_tables(Tree(tree.home / "results")) if one.sheet.name == "published"]
    assert shown.sheet.title == "Published: reproduced against published" and not shown.sheet.missing
    assert all("results/scores/" in files[0] for files in shown.files), "the page says where each number comes from"
    typeset = diffbench("table", "--table", "published", "--columns", "model,value,published,verdict", cwd=tree.home)
    assert "| 3.17 | agrees |" in typeset.stdout
    (tree.home / "results/published.csv").write_text("a,b\n1,2\n")
    edited = diffbench("published", cwd=tree.home)
    assert edited.returncode == 2 and edited.stderr.count("\n") == 1 and "damaged or edited" in edited.stderr
    (tree.home / "results/published.csv").unlink()
    missing = diffbench("published", cwd=tree.home)
    assert missing.returncode == 2 and "results/published.csv: no such table; make them by: " in missing.stderr


def test_published_numbers_are_looked_up(diffbench, tmp_path):
    said = diffbench(
        "published", "--list", "--dataset", "CIFAR-10", "--model", "ddpm u-net", "--metric", "FID", cwd=tmp_path
    )
    assert said.returncode == 0
    assert "3.17" in said.stdout and "DDPM, Table 1 (arXiv 2006.11239)" in said.stdout
    assert all(line.startswith("| cifar10") for line in said.stdout.splitlines()[4:])
    bits = diffbench("published", "--list", "--metric", "NLL,IS", cwd=tmp_path).stdout
    assert "| nll_bits_per_dim |" in bits and "| inception_score |" in bits and "| fid |" not in bits
    assert diffbench("published", "--list", cwd=tmp_path).stdout.startswith("1015 of 1015 published numbers")


@pytest.mark.parametrize(
    "arguments, said",
    [
        ((), "results: no results of a benchmark there; make them by: "),
        (("--metric", "fid"), "--dataset, --model and --metric choose published numbers; add --list"),
        (("--list", "--dataset", "cifar"), "did you mean 'cifar10'?"),
        (("--list", "--metric", "fidd"), "did you mean 'fid'?"),
        (("--list", "--model", "no such model"), "no published number is of this data set, model and metric"),
    ],
)
def test_a_mistake_is_one_line_with_the_way_out(diffbench, tmp_path, arguments, said):
    done = diffbench("published", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and said in done.stderr, done.stderr
    assert not done.stdout
