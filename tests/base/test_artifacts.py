"""Whole files or none, one writer at a time, provenance that says what was asked and what went in."""

import errno
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from diffbench.base import artifacts
from diffbench.base.artifacts import (
    checked,
    exclusive,
    provenance_path,
    read_provenance,
    replacing,
    require_files,
    run_record,
    sha256,
    write_provenance,
    write_recorded,
)
from diffbench.base.errors import UserError


def test_replacing_makes_folders_and_swaps_at_the_end(tmp_path):
    path = tmp_path / "deep/er/file.txt"
    with replacing(path) as temporary:
        assert temporary.parent == path.parent
        temporary.write_text("first")
        assert not path.exists()
    with replacing(path) as temporary:
        temporary.write_text("second")
        assert path.read_text() == "first"
    assert path.read_text() == "second" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()])
def test_replacing_leaves_nothing_of_a_failure(tmp_path, error):
    path = tmp_path / "file.txt"
    with pytest.raises(type(error)), replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []
    path.write_text("old")
    with pytest.raises(type(error)), replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "old"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_disk_or_read_only_folder_is_one_line(tmp_path, number):
    path = tmp_path / "file.txt"
    with pytest.raises(UserError, match="cannot be written") as caught, replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError(number, os.strerror(number))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((UserError, OSError)) as caught, replacing(tmp_path / "file/out.txt"):
        pass
    assert "file" in str(caught.value)


def run(code, *arguments):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)])


def test_killed_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    code = (
        "import os, signal, sys\nfrom diffbench.base.artifacts import replacing\n"
        "with replacing(sys.argv[1]) as t:\n t.write_text('half')\n os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert run(code, path).wait() == -signal.SIGKILL
    assert path.read_text() == "old"
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_second_writer_is_refused_until_the_first_is_dead(tmp_path):
    code = (
        "import pathlib, sys, time\nfrom diffbench.base.artifacts import exclusive\n"
        "with exclusive(sys.argv[1]):\n pathlib.Path(sys.argv[1], 'ready').touch()\n time.sleep(600)"
    )
    first = run(code, tmp_path / "job")
    try:
        while not (tmp_path / "job/ready").exists():
            assert first.poll() is None
            time.sleep(0.01)
        with pytest.raises(UserError, match="another process is at work there") as caught, exclusive(tmp_path / "job"):
            pass
        assert str(tmp_path / "job") in str(caught.value)
    finally:
        first.kill()
        first.wait()
    with exclusive(tmp_path / "job") as folder:
        assert folder == tmp_path / "job"
    with exclusive(tmp_path / "job"):
        pass


def test_provenance_says_what_was_asked_and_what_went_in(tmp_path):
    source, out = tmp_path / "in.bin", tmp_path / "out.bin"
    source.write_bytes(b"in")
    out.write_bytes(b"out")
    inputs = checked({"data": source}, foreign=["data"])
    write_provenance(out, spec={"b": 1, "a": [2]}, inputs=inputs, facts={"n": 3})
    content = read_provenance(out)
    assert provenance_path(out) == tmp_path / "out.bin.json"
    assert content["artifact"] == "out.bin"
    assert content["sha256"] == hashlib.sha256(b"out").hexdigest() == sha256(out)
    assert content["inputs"] == {"data": hashlib.sha256(b"in").hexdigest()}
    assert content["spec"] == {"a": [2], "b": 1} and content["facts"] == {"n": 3}
    assert {"python"} <= set(content["versions"]) and content["threads"] >= 1
    first = provenance_path(out).read_bytes()
    write_provenance(out, spec={"a": [2], "b": 1}, inputs=inputs, facts={"n": 3})
    assert provenance_path(out).read_bytes() == first


@pytest.fixture
def artifact(tmp_path):
    """An artifact of a tree of results, with its record."""
    path = tmp_path / "results/features/x.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(range(200)))
    write_provenance(path, spec={"threads": 1}, facts={"share": 0.1, "classes": {10: "ten", 9: "nine"}})
    return path


def test_inputs_are_hashed_once_and_those_hashes_are_recorded(artifact, tmp_path, monkeypatch):
    own = tmp_path / "own.npz"
    own.write_bytes(b"from elsewhere")
    hashed, original = [], artifacts.sha256
    monkeypatch.setattr(artifacts, "sha256", lambda path: hashed.append(Path(path)) or original(path))
    inputs = checked({"features": artifact, "own": own, "absent": None}, foreign=["own"])
    assert inputs.paths == {"features": artifact, "own": own} and set(inputs.records) == {"features"}
    (tmp_path / "out").write_bytes(b"out")
    write_provenance(tmp_path / "out", spec={}, inputs=inputs)
    assert read_provenance(tmp_path / "out")["inputs"] == {name: sha256(path) for name, path in inputs.paths.items()}
    assert hashed == [artifact, own, tmp_path / "out"]
    assert inputs.only("own").sha256 == inputs.renamed({"own": "own", "none": "x"}).sha256 == {"own": sha256(own)}


def test_a_flipped_bit_in_any_byte_of_an_artifact_or_its_record_is_found(artifact):
    checked({"features": artifact})
    for path in (artifact, provenance_path(artifact)):
        whole = path.read_bytes()
        for place in range(0, 8 * len(whole), 7):  # another bit in each byte
            changed = bytearray(whole)
            changed[place // 8] ^= 1 << place % 8
            path.write_bytes(changed)
            with pytest.raises(UserError, match=re.escape(str(path))) as caught:
                checked({"features": artifact})
            assert "\n" not in str(caught.value)
        path.write_bytes(whole)
    checked({"features": artifact})


def test_damage_is_one_line_with_the_way_to_make_it_again(artifact, tmp_path):
    artifact.write_bytes(b"cut")
    with pytest.raises(UserError) as caught:
        checked({"features": artifact})
    found = sha256(artifact)[:12]
    assert f"{artifact}: is not what its record says (sha256 {found}, recorded " in str(caught.value)
    assert "snakemake --cores all -f results/features/x.npz, with the run's own --configfile" in str(caught.value)
    weights = tmp_path / "checkpoints/w.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"whole")
    write_provenance(weights, spec={})
    weights.write_bytes(b"edited")
    with pytest.raises(UserError, match=r"remove it and .*w\.safetensors\.json, and repeat what made it"):
        checked({"weights": weights})


def test_what_has_no_record_is_refused_unless_it_may_come_from_elsewhere(artifact, tmp_path):
    provenance_path(artifact).unlink()
    with pytest.raises(UserError, match=r"x\.npz\.json: missing; run the stage that makes"):
        checked({"features": artifact})
    assert checked({"features": artifact}, foreign=["features"]).sha256 == {"features": sha256(artifact)}
    with pytest.raises(UserError, match="nowhere: no such file"):
        checked({"features": tmp_path / "nowhere"}, foreign=["features"])


def test_a_record_without_a_digest_of_its_own_is_refused(artifact):
    recorded = provenance_path(artifact)
    content = json.loads(recorded.read_text())
    del content["record_sha256"]
    recorded.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    with pytest.raises(UserError, match="has no digest of its own, so an older version wrote it; make it again"):
        read_provenance(artifact)
    write_recorded(recorded, content)
    assert read_provenance(artifact)["facts"] == {"share": 0.1, "classes": {"9": "nine", "10": "ten"}}


@pytest.mark.parametrize("loaded", [(), ("torch", "diffusers", "PIL", "pandas")])
def test_a_record_is_a_function_of_the_job_not_of_what_a_process_imported(artifact, monkeypatch, loaded):
    for name in ("torch", "diffusers", "PIL", "pandas"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in loaded:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    write_provenance(artifact, spec={})
    recorded = read_provenance(artifact)
    assert set(recorded["versions"]) == {*artifacts.PACKAGES, "python"} and recorded["threads"] == 3
    write_provenance(artifact, spec={"sampler": {"name": "diffusers:DDIMScheduler"}, "threads": 1})
    recorded = read_provenance(artifact)
    assert set(recorded["versions"]) == {*artifacts.PACKAGES, "python", "diffusers"} and recorded["threads"] == 1


@pytest.mark.parametrize(("content", "message"), [(None, "missing"), ("{", "not JSON")])
def test_provenance_that_cannot_be_read_is_one_line(tmp_path, content, message):
    if content is not None:
        (tmp_path / "out.bin.json").write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        read_provenance(tmp_path / "out.bin")
    assert "out.bin.json" in str(caught.value)


def test_run_record_states_cost_and_machine(tmp_path):
    path = tmp_path / "logs/train.run.json"
    with run_record(path, stage="train") as record:
        record["images"] = 5
        assert not path.exists()
    content = json.loads(path.read_text())
    assert (content["stage"], content["images"]) == ("train", 5)
    assert content["seconds"] >= 0 and content["peak_memory_mib"] > 1
    assert {"machine", "date", "processors", "git_commit"} <= set(content)
    with run_record(None) as record:
        record["x"] = 1


def test_required_files(tmp_path):
    (tmp_path / "a").touch()
    require_files([tmp_path / "a"])
    for bad in (tmp_path / "b", tmp_path):
        with pytest.raises(UserError, match="no such file"):
            require_files([tmp_path / "a", bad])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"facts": {"num_images": 3}}, "x.npz.json: records no 'weights_sha256'"),
        ({"records": []}, "x.npz.json: records no 'facts'"),
        (b'{"facts": {"weights_sha256": "a"}}', "x.npz.json: has no digest of its own"),
        (b"[1]", "x.npz.json: not a provenance"),
        (bytes(range(256)), "x.npz.json: not JSON"),
    ],
)
def test_another_files_record_in_the_place_of_a_provenance_is_one_line(tmp_path, content, message):
    if isinstance(content, bytes):
        (tmp_path / "x.npz.json").write_bytes(content)
    else:
        write_recorded(tmp_path / "x.npz.json", content)
    with pytest.raises(UserError, match=message):
        read_provenance(tmp_path / "x.npz")["facts"]["weights_sha256"]
