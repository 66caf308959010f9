"""`diffbench merge`: two parts give the bytes of the whole, and what does not belong together is refused in one line."""

import json
import shutil

import pytest

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import read_provenance, write_recorded
from diffbench.benchmark.foreign import snakemake_record
from diffbench.commands.merge.run import merge

SUMMARIES = ("table2.csv", "fid_vs_steps")


def files(results):
    return {path.relative_to(results).as_posix(): path.read_bytes() for path in results.rglob("*") if path.is_file()}


def restamped(path, **changes):
    """Write an artifact's record again with other values, as another machine would have written it."""
    write_recorded(path.with_name(f"{path.name}.json"), {**read_provenance(path), **changes})


def test_two_parts_give_the_bytes_of_the_whole(machines, diffbench, tmp_path):
    before = {tree: files(tree) for tree in (machines.a, machines.b)}
    done = diffbench("merge", "a", "b/results", "--out", "c", "--configfile", "whole.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "merged: c, " in done.stdout and "left out: " in done.stdout and "snakemake --cores all" in done.stdout
    whole, merged = files(machines.whole / "results"), files(tmp_path / "c/results")
    logs = {name for name in merged if name.startswith("logs/")}
    summaries = {name for name in whole if any(word in name for word in SUMMARIES)}
    assert summaries and merged.keys() - logs == whole.keys() - summaries - {"logs/train/ddpm.run.json"}
    assert {name: merged[name] for name in merged.keys() - logs} == {name: whole[name] for name in merged.keys() - logs}
    # Both machines' records of one path are kept.
    assert logs == {"logs/train/ddpm.run.json", "logs/merged_2/train/ddpm.run.json"}
    # Snakemake's own records come along, so that finished jobs have nothing to do.
    for seed, tree in ((0, machines.a), (1, machines.b)):
        path = f"results/models/ddpm/train{seed}/weights.safetensors"
        assert snakemake_record(tmp_path / "c", path).read_text() == snakemake_record(tree, path).read_text()
    assert (tmp_path / "c/.snakemake/configuration").read_text() == "../whole.yaml\n"
    assert {tree: files(tree) for tree in (machines.a, machines.b)} == before
    assert diffbench("verify", "c", cwd=tmp_path).returncode == 0
    compared = diffbench(
        "compare", "ddpm/ddim/3/train_seed=0", "ddpm/ddim/3/train_seed=1", "--results", "c", cwd=tmp_path
    )
    assert compared.returncode == 0 or "train_seed" in compared.stderr, compared.stderr


def flipped(machines):
    path = next((machines.b / "results/samples").rglob("*.npz"))
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(bytes(content))


def halved(machines):
    path = next((machines.a / "results/models").rglob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:1000])


def without_file(machines):
    next((machines.a / "results/scores").rglob("3.json")).unlink()


def without_record(machines):
    next((machines.a / "results/features").rglob("3.npz.json")).unlink()


def other_seed(machines):
    """The same place with other bytes: machine b made seed 0 too, and its library gave other numbers."""
    for folder in ("models", "terms"):
        shutil.copytree(machines.a / f"results/{folder}/ddpm/train0", machines.b / f"results/{folder}/ddpm/train0")
    path = machines.b / "results/models/ddpm/train0/log.csv"
    path.write_text(path.read_text() + "\n")
    record = read_provenance(path)
    from diffbench.base.digests import sha256

    restamped(path, sha256=sha256(path), versions={**record["versions"], "torch": "9.9"})


def other_settings(machines):
    path = next((machines.b / "results/samples").rglob("*.npz"))
    record = read_provenance(path)
    sampling = {**record["spec"]["sampling"], "rounding": "round"}
    restamped(path, spec={**record["spec"], "sampling": sampling})


def other_code(machines):
    path = next((machines.b / "results/scores/bound").rglob("train1.json"))
    restamped(path, spec={**read_provenance(path)["spec"], "code": "0" * 16})


def other_data(machines):
    path = machines.b / "results/data/train.npz"
    record = read_provenance(path)
    restamped(path, spec={**record["spec"], "dataset": {"name": "mnist"}})


def other_benchmark(machines):
    for path in (machines.b / "results/scores").rglob("*.json"):
        if path.name.endswith(".json.json"):
            artifact = path.with_suffix("")
            record = read_provenance(artifact)
            restamped(artifact, spec={**record["spec"], "row": {**record["spec"]["row"], "benchmark": "other"}})


def nothing(machines):
    shutil.rmtree(machines.b / "results")
    (machines.b / "results").mkdir()


REFUSED = {
    flipped: ["3.npz", "is not what its record says"],
    halved: ["weights.safetensors", "is not what its record says"],
    without_file: ["results/scores/digits/ddpm", "is missing beside its record"],
    without_record: ["results/features/digits_features/ddpm", "has no record beside it"],
    other_seed: [
        "a/results/models/ddpm/train0/log.csv",
        "b/results/models/ddpm/train0/log.csv",
        "versions.torch",
        "9.9",
    ],
    other_settings: ["sample: sampling.rounding", '"truncate"', '"round"'],
    other_code: ["code of stage score"],
    other_data: ["data/train.npz", "dataset.name", "mnist"],
    other_benchmark: ["benchmark", "other"],
    nothing: ["b: holds no artifacts"],
}


@pytest.mark.parametrize("broken", REFUSED, ids=lambda change: change.__name__)
def test_what_does_not_belong_together_is_one_line_and_nothing_is_written(machines, tmp_path, broken):
    broken(machines)
    before = {tree: files(tree) for tree in (machines.a, machines.b)}
    with pytest.raises(UserError) as error:
        merge([machines.a, machines.b], tmp_path / "c", machines.file)
    assert all(word in str(error.value) for word in REFUSED[broken]), str(error.value)
    assert "\n" not in str(error.value)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "whole", "whole.yaml"}
    assert {tree: files(tree) for tree in (machines.a, machines.b)} == before


def test_a_place_that_is_taken_and_one_tree_are_refused(machines, diffbench, tmp_path):
    for arguments, said in (
        (["a", "b", "--out", "whole"], "holds results already"),
        (["a", "--out", "c"], "at least two"),
        (["a", "a/results", "--out", "c"], "named twice"),
        (["a", "nowhere", "--out", "c"], "no folder of results"),
        (["a", "b", "--out", "no/c"], "is no folder"),
        (["a", "b", "--out", "a/results/both"], "is inside a"),
    ):
        done = diffbench("merge", *arguments, cwd=tmp_path)
        assert done.returncode == 2 and said in done.stderr.splitlines()[-1], done.stderr
    assert not (tmp_path / "c").exists()


def test_a_clone_without_results_takes_them(machines, tmp_path):
    (tmp_path / "clone/results").mkdir(parents=True)
    for name in ("Snakefile", "results/README.md"):
        (tmp_path / "clone" / name).write_text("here")
    merge([machines.a, machines.b], tmp_path / "clone", machines.file)
    assert (tmp_path / "clone/results/models/ddpm/train1/weights.safetensors").is_file()
    assert (tmp_path / "clone/.snakemake/configuration").read_text() == "../whole.yaml\n"
    assert {path.name for path in (tmp_path / "clone").iterdir()} == {"Snakefile", "results", ".snakemake"}
    with pytest.raises(UserError, match="holds results already"):
        merge([machines.a, machines.b], tmp_path / "clone", machines.file)


def test_what_all_have_alike_stays(machines, tmp_path):
    """The tables of two copies of one tree are those of the whole."""
    shutil.copytree(machines.whole, tmp_path / "again")
    said = merge([machines.whole, tmp_path / "again"], tmp_path / "c")
    assert files(tmp_path / "c/results") == files(machines.whole / "results")
    assert "left out" not in said
    assert json.loads((tmp_path / "c/results/logs/train/ddpm.run.json").read_text())["machine"] == "whole"
