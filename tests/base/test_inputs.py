"""A job's inputs are hashed once, and damage, a missing record or a missing file is one line."""

import re
from pathlib import Path

import pytest

from diffbench.base import inputs, provenance
from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked, require_files
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import provenance_path, read_provenance


def test_inputs_are_hashed_once_and_those_hashes_are_recorded(artifact, tmp_path, monkeypatch):
    own = tmp_path / "own.npz"
    own.write_bytes(b"from elsewhere")
    hashed: list[Path] = []
    for reader in (inputs, provenance):
        monkeypatch.setattr(reader, "sha256", lambda path: hashed.append(Path(path)) or sha256(path))
    found = checked({"features": artifact, "own": own, "absent": None}, foreign=["own"])
    assert found.paths == {"features": artifact, "own": own} and set(found.records) == {"features"}
    (tmp_path / "out").write_bytes(b"out")
    write_provenance(tmp_path / "out", spec={}, inputs=found)
    assert read_provenance(tmp_path / "out")["inputs"] == {name: sha256(path) for name, path in found.paths.items()}
    assert hashed == [artifact, own, tmp_path / "out"]
    assert found.only("own").sha256 == found.renamed({"own": "own", "none": "x"}).sha256 == {"own": sha256(own)}


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


def test_required_files(tmp_path):
    (tmp_path / "a").touch()
    require_files([tmp_path / "a"])
    for bad in (tmp_path / "b", tmp_path):
        with pytest.raises(UserError, match="no such file"):
            require_files([tmp_path / "a", bad])
