"""LMDB databases as the library itself reads them, and one line for every damage."""

import lmdb
import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.datasets._lmdb import Database


def written(folder, sizes, *, commits=1, **options):
    """Write values of random bytes under keys in a shuffled order, in several transactions; return the file."""
    draws = np.random.default_rng(0)
    order = draws.permutation(len(sizes))
    folder.mkdir(exist_ok=True)
    with lmdb.open(str(folder), map_size=2**27, **options) as database:
        for part in np.array_split(order, commits):
            with database.begin(write=True) as transaction:
                for k in part:
                    transaction.put(f"{k:06d}".encode() * (1 + k % 7), draws.bytes(sizes[k]))
    return folder / "data.mdb"


def by_the_library(folder):
    with lmdb.open(str(folder), readonly=True, lock=False) as database, database.begin() as transaction:
        return [(bytes(key), bytes(value)) for key, value in transaction.cursor()]


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [0],
        [5],
        [100_000],
        [1000, 2020, 2030, 2040, 4080, 4090, 8176, 8177] * 5,
        [10] * 20_000,  # a tree of three levels
        [3000] * 500,
    ],
    ids=lambda sizes: f"{len(sizes)}x{sizes[0] if sizes else 0}",
)
@pytest.mark.parametrize("commits", [1, 2, 5])
def test_entries_are_the_librarys(tmp_path, sizes, commits):
    file = written(tmp_path / "a", sizes, commits=commits)
    database = Database(file)
    assert database.num_entries == len(sizes)
    assert list(database.items()) == by_the_library(tmp_path / "a")


def test_a_database_that_was_changed_later(tmp_path):
    file = written(tmp_path / "a", [6000] * 300)
    for step in range(3):
        entries = by_the_library(tmp_path / "a")
        with lmdb.open(str(tmp_path / "a"), map_size=2**27) as database, database.begin(write=True) as transaction:
            for k, (key, _) in enumerate(entries):
                if k % 5 == step:
                    transaction.delete(key)
                elif k % 5 == 4:
                    transaction.put(key, b"x" * (step * 3000 + 1))
        assert list(Database(file).items()) == by_the_library(tmp_path / "a") != entries


def test_a_copy_without_free_pages(tmp_path):
    written(tmp_path / "a", [3000] * 200, commits=4)
    (tmp_path / "b").mkdir()
    with lmdb.open(str(tmp_path / "a"), readonly=True) as database:
        database.copy(str(tmp_path / "b"), compact=True)
    assert list(Database(tmp_path / "b" / "data.mdb").items()) == by_the_library(tmp_path / "a")


def test_databases_within_one_and_duplicates_are_refused(tmp_path):
    with lmdb.open(str(tmp_path / "a"), map_size=2**20, max_dbs=2) as database:
        within = database.open_db(b"within")
        with database.begin(write=True) as transaction:
            transaction.put(b"key", b"value", db=within)
    with pytest.raises(UserError, match="holds more than one database"):
        list(Database(tmp_path / "a" / "data.mdb").items())


def test_damage_of_every_kind_is_one_line_or_other_bytes(tmp_path):
    file = written(tmp_path / "a", [10, 3000, 9000] * 60)
    whole, draws, refused = file.read_bytes(), np.random.default_rng(1), 0
    pages = len(whole) // 4096
    damaged = [whole[:length] for length in range(0, len(whole), len(whole) // 50)]
    for _ in range(100):
        first, count = int(draws.integers(0, pages)), int(draws.integers(1, 20))
        kept = whole[: first * 4096], whole[(first + count) * 4096 :]
        damaged.append(kept[0] + bytes(len(whole) - len(kept[0]) - len(kept[1])) + kept[1])
        damaged.append(kept[0] + draws.bytes(len(whole) - len(kept[0]) - len(kept[1])) + kept[1])
        other = int(draws.integers(0, pages)) * 4096
        damaged.append(whole[: first * 4096] + whole[other : other + 4096] + whole[first * 4096 + 4096 :])
        place = first * 4096 + int(draws.integers(0, 48))
        damaged.append(whole[:place] + bytes([whole[place] ^ int(draws.integers(1, 256))]) + whole[place + 1 :])
    for content in damaged:
        file.write_bytes(content)
        try:
            list(Database(file).items())
        except UserError as error:
            assert str(error).startswith(f"{file}: cannot be read as LMDB (") and "\n" not in str(error)
            refused += 1
    assert refused > 300


@pytest.mark.parametrize("seed", range(6))
def test_any_history_of_changes_reads_as_the_library_reads_it(tmp_path, seed):
    draws = np.random.default_rng(seed)
    with lmdb.open(str(tmp_path), map_size=2**26, sync=False) as database:
        for _ in range(8):
            with database.begin(write=True) as transaction:
                for _ in range(int(draws.integers(1, 60))):
                    key = f"{draws.integers(0, 80):03d}".encode()
                    if draws.random() < 0.4:
                        transaction.delete(key)
                    else:
                        transaction.put(key, draws.bytes(int(draws.choice([0, 10, 1500, 2030, 5000, 20_000]))))
            with database.begin() as transaction:
                held = [(bytes(key), bytes(value)) for key, value in transaction.cursor()]
            assert list(Database(tmp_path / "data.mdb").items()) == held
