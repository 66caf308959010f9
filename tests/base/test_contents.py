"""Hashes of what somebody else made: they follow the content, and a file is read once."""

import os
import time

import pytest

from diffbench.base import contents
from diffbench.base.contents import content_of, files_below, memory


@pytest.fixture(autouse=True)
def own_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "data"
    (root / "a").mkdir(parents=True)
    (root / "a" / "one").write_bytes(b"1")
    (root / "two").write_bytes(b"2")
    return root


def test_nothing_has_no_hash(tmp_path):
    assert content_of(tmp_path / "none") is None


def test_a_changed_added_or_renamed_file_changes_the_hash(folder):
    seen = [content_of(folder)]
    (folder / "two").write_bytes(b"3")
    seen.append(content_of(folder))
    (folder / "three").write_bytes(b"")
    seen.append(content_of(folder))
    (folder / "three").rename(folder / "four")
    seen.append(content_of(folder))
    assert len(set(seen)) == 4


def test_times_and_hidden_files_do_not(folder):
    before = content_of(folder)
    os.utime(folder / "two", (1, 1))
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / ".git" / "index").write_bytes(b"x")
    assert content_of(folder) == before


def test_the_same_size_and_time_do_not_hide_another_content(folder, monkeypatch):
    """As `cp -p` and archives leave it: the change of the inode tells."""
    monkeypatch.setattr(contents, "SETTLED", 0)
    before, held = content_of(folder / "two"), (folder / "two").stat()
    time.sleep(0.02)
    (folder / "two").write_bytes(b"9")
    os.utime(folder / "two", ns=(held.st_atime_ns, held.st_mtime_ns))
    assert content_of(folder / "two") != before


def test_a_file_is_read_once_when_it_has_settled(folder, monkeypatch):
    monkeypatch.setattr(contents, "SETTLED", 0)
    before = content_of(folder)
    assert memory().is_file()

    def refuse(path):
        raise AssertionError(f"{path} was read again")

    monkeypatch.setattr(contents, "sha256", refuse)
    assert content_of(folder) == before


def test_a_young_file_is_read_again(folder, monkeypatch):
    content_of(folder)
    read = []
    monkeypatch.setattr(contents, "sha256", lambda path: read.append(path) or "0" * 64)
    content_of(folder)
    assert len(read) == 2


def test_a_memory_that_cannot_be_used_is_done_without(folder, tmp_path):
    before = content_of(folder)
    memory().unlink()
    memory().write_bytes(b"no database" * 100)
    assert content_of(folder) == before
    memory().unlink()
    memory().mkdir()
    assert content_of(folder) == before


def test_a_link_to_itself_ends(folder):
    (folder / "self").symlink_to(folder, target_is_directory=True)
    assert [path.name for path in files_below(folder)] == ["two", "one"]


def test_a_pipe_is_no_file(folder):
    os.mkfifo(folder / "pipe")
    assert "pipe" not in [path.name for path in files_below(folder)]


def test_only_files_that_count_are_hashed(folder):
    before = content_of(folder, [folder / "two"])
    (folder / "a" / "one").write_bytes(b"other")
    assert content_of(folder, [folder / "two"]) == before
