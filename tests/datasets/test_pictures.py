"""Pictures in a folder or an archive: each is read once and counted, and named if it cannot be read."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffbench.base.errors import UserError
from diffbench.datasets import _pictures
from diffbench.datasets._pictures import SUFFIXES, PictureTree
from diffbench.datasets.folder import Folder


def put(path, value, kind=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (value,) * 3).save(path, kind)


@pytest.fixture
def three(tmp_path):
    """A folder of three pictures in a folder of its own."""
    root = tmp_path / "around" / "pictures"
    for value in range(3):
        put(root / "run" / f"{value}.png", value)
    return root


def read(root):
    tree = PictureTree(root)
    pixels = np.concatenate(list(tree.chunks(tree.pictures, 1, None)))
    return pixels[:, 0, 0, 0].tolist(), tree.summary()


def test_every_ending_is_read_in_any_case_and_others_are_counted(tmp_path):
    kinds = {".jfif": "JPEG", ".jpe": "JPEG", ".pbm": "PPM", ".pnm": "PPM", ".pgm": "PPM"}
    for value, suffix in enumerate(SUFFIXES):
        put(tmp_path / f"{value:02d}{suffix if value % 2 else suffix.upper()}", 0, kinds.get(suffix))
    for name in ("a.heic", "b.HEIC", "c.avif", "notes.txt", "noending", ".hidden.png", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"x")
    put(tmp_path / ".ipynb_checkpoints" / "a.png", 9)
    put(tmp_path / "@eaDir" / "00.png" / "SYNOPHOTO_THUMB_M.jpg", 9)
    values, said = read(tmp_path)
    assert len(values) == len(SUFFIXES) == 14
    assert said == (
        "14 pictures; left out: 1 of .avif, 2 of .heic, 1 of .txt, 1 without an ending, "
        "4 hidden or of an operating system; 7 equal to another, byte for byte"
    )


@pytest.mark.parametrize(
    ("target", "left_out"),
    [
        (".", "run/again"),
        ("..", "run/again"),
        ("../..", "run/again"),
        ("../../..", "run/again"),
        ("../run", "run/again"),
    ],
)
def test_a_link_that_leads_back_adds_nothing(three, target, left_out):
    put(three.parent / "neighbour.png", 77)
    (three / "run" / "again").symlink_to(target)
    assert read(three) == ([0, 1, 2], f"3 pictures; left out: {left_out}, read under another name")


def test_a_folder_of_two_names_is_read_once_under_its_own(three):
    (three / "all").symlink_to("run")
    (three / "latest").symlink_to(three / "run")
    assert PictureTree(three).pictures == ["run/0.png", "run/1.png", "run/2.png"]
    assert "left out: all, latest, read under another name" in read(three)[1]


def test_a_link_to_elsewhere_is_read(three, tmp_path):
    put(tmp_path / "elsewhere" / "deep" / "9.png", 9)
    (tmp_path / "elsewhere" / "back").symlink_to(three)
    (three / "more").symlink_to(tmp_path / "elsewhere")
    assert read(three)[0] == [9, 0, 1, 2]
    assert PictureTree(three).listing.again == ["more/back/"]


@pytest.mark.parametrize("again", [os.link, os.symlink, lambda old, new: Path(new).write_bytes(Path(old).read_bytes())])
def test_a_picture_under_two_names_is_read_and_counted(three, again):
    again(three / "run" / "1.png", three / "run" / "1 (1).png")
    assert read(three) == ([0, 1, 1, 2], "4 pictures; 1 equal to another, byte for byte")


def test_a_picture_in_both_splits_is_counted(tmp_path):
    for split, values in (("train", (1, 2, 3)), ("test", (4, 2, 5))):
        for value in values:
            put(tmp_path / split / f"{split}{value}.png", value)
    folder = Folder(str(tmp_path))
    for split, note in (("train", ""), ("test", "; 1 equal to another, byte for byte")):
        opened = folder.open(split)
        list(opened.chunks)
        assert opened.summary() == f"3 pictures{note}"


def test_pictures_of_two_endings_are_counted(three):
    put(three / "run" / "1.JPG", 1)
    put(three / "run" / "other.jpg", 1)
    assert "5 pictures; 1 with the name of another and a different ending" in read(three)[1]


def test_a_line_break_in_a_name_stays_in_one_line(tmp_path):
    for split in ("train", "test"):
        put(tmp_path / split / "cat" / "a.png", 1)
    (tmp_path / "train" / "two\nlines").mkdir()
    assert Folder(str(tmp_path)).open("train").summary().endswith("without pictures: train/two lines")


def test_what_was_left_out_is_said_where_no_picture_is_found(tmp_path):
    for k in range(3):
        (tmp_path / f"{k}.heic").write_bytes(b"x")
    with pytest.raises(UserError, match=r"no pictures for 'train' \(0 in all; left out: 3 of .heic; looked for .bmp"):
        Folder(str(tmp_path), test_fraction=0.5).open("train")


def test_splits_under_other_names_are_no_classes(tmp_path):
    for name in ("Train", "VAL"):
        put(tmp_path / name / "a.png", 1)
    with pytest.raises(UserError, match="holds Train and VAL, which are splits by their names and would be classes"):
        Folder(str(tmp_path), test_fraction=0.5).open("train")
    put(tmp_path / "plane" / "a.png", 1)  # then Train is one that goes on rails
    put(tmp_path / "plane" / "b.png", 1)
    assert Folder(str(tmp_path), test_fraction=0.5).num_classes == 3


def test_a_test_split_that_is_a_link_to_the_training_split_is_refused(tmp_path):
    put(tmp_path / "train" / "a.png", 1)
    (tmp_path / "test").symlink_to("train")
    with pytest.raises(UserError, match="no pictures for 'test' .*test, read under another name"):
        Folder(str(tmp_path)).open("test")


def test_no_regular_file_is_opened_and_a_broken_link_is_named(three):
    os.mkfifo(three / "run" / "pipe.png")
    with pytest.raises(UserError, match=r"pipe.png: is no regular file; remove it"):
        read(three)
    (three / "run" / "pipe.png").unlink()
    (three / "run" / "zero.png").symlink_to("/dev/zero")
    with pytest.raises(UserError, match=r"zero.png: is no regular file; remove it"):
        read(three)
    (three / "run" / "zero.png").unlink()
    (three / "run" / "gone.png").symlink_to("/nowhere/x.png")
    with pytest.raises(UserError, match=r"gone.png: cannot be read \(No such file or directory\)"):
        read(three)
    (three / "run" / "gone.png").unlink()
    (three / "run" / "me.png").symlink_to("me.png")
    with pytest.raises(UserError, match=r"me.png: cannot be read \("):
        read(three)
    for root in ("/dev/zero", three / "run" / "0.png"):
        with pytest.raises(UserError, match="neither a folder nor"):
            PictureTree(Path(root))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_named(three):
    (three / "run").chmod(0)
    try:
        with pytest.raises(UserError, match="run/: cannot be read"):
            read(three)
    finally:
        (three / "run").chmod(0o755)


def test_a_huge_file_is_refused_before_it_is_read(three):
    with open(three / "run" / "huge.png", "wb") as file:
        file.truncate(_pictures.LARGEST + 1)
    with pytest.raises(UserError, match=r"huge.png: takes 1073741825 bytes, and a picture may take 1073741824"):
        read(three)


def archive_of(root, archive, rename, **options):
    with zipfile.ZipFile(archive, "w", **options) as file:
        for path in sorted(root.rglob("*.png")):
            file.writestr(rename(path.relative_to(root).as_posix()), path.read_bytes())


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name,
        lambda name: f"pictures/{name}",
        lambda name: f"./{name}",
        lambda name: "pictures\\" + name.replace("/", "\\"),
    ],
)
@pytest.mark.parametrize("called", ["a.zip", "UPPER.ZIP", "noending"])
def test_an_archive_of_any_program_is_read_as_the_folder(tmp_path, rename, called):
    for split in ("train", "test"):
        for value, name in enumerate(("ant", "bee")):
            put(tmp_path / "in" / split / name / "a.png", value)
    archive_of(tmp_path / "in", tmp_path / called, rename)
    with zipfile.ZipFile(tmp_path / called, "a") as file:
        file.writestr("__MACOSX/in/train/ant/._a.png", b"x")
        file.writestr(".DS_Store", b"x")
    folder = Folder(str(tmp_path / called), channels=1)
    assert folder.num_classes == 2
    opened = folder.open("train")
    assert np.concatenate(list(opened.chunks))[:, 0, 0, 0].tolist() == opened.labels.tolist()


def test_one_name_twice_in_an_archive_is_refused(tmp_path):
    put(tmp_path / "a.png", 1)
    for second in ("x/a.png", "x\\a.png", "./x/a.png"):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as file, pytest.warns() if second == "x/a.png" else no_warning():
            file.write(tmp_path / "a.png", "x/a.png")
            file.write(tmp_path / "a.png", "b.png")
            file.writestr(zipfile.ZipInfo(second), b"other")
        with pytest.raises(UserError, match="a.zip: holds x/a.png twice; pack it again"):
            read(tmp_path / "a.zip")


class no_warning:  # noqa: N801
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def test_members_that_cannot_be_unpacked_are_named(tmp_path):
    put(tmp_path / "a.png", 1)
    archive = tmp_path / "a.zip"
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(archive, "w", method) as file:
            file.write(tmp_path / "a.png", "a.png")
        whole, pixels, refused = archive.read_bytes(), read(archive), 0
        for position in range(36, whole.rindex(b"PK\x01\x02")):
            archive.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
            try:
                assert read(archive) == pixels
            except UserError as error:
                assert f"{archive}/a.png: cannot be read (" in str(error) and "\n" not in str(error)
                refused += 1
        assert refused > 20
    with zipfile.ZipFile(archive, "w") as file:
        file.write(tmp_path / "a.png", "a.png")
    content = bytearray(archive.read_bytes())
    content[6] |= 1  # encrypted, as the member's own header and the directory say
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(UserError, match=r"a.png: cannot be read \(.*encrypted"):
        read(archive)
    for length in range(0, len(content) - 1, 20):
        archive.write_bytes(content[:length])
        with pytest.raises(UserError, match="neither a folder nor a zip archive"):
            PictureTree(archive)


def test_a_bomb_in_an_archive_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file, file.open("a.png", "w") as member:
        for _ in range(1025):
            member.write(bytes(2**20))
    assert (tmp_path / "a.zip").stat().st_size < 2**21
    code = (
        "import resource, sys; from pathlib import Path; from diffbench.base.errors import UserError\n"
        "from diffbench.datasets._pictures import PictureTree\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: PictureTree(Path(sys.argv[1])).read('a.png')\n"
        "except UserError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.zip"], capture_output=True, text=True)
    assert "a.png: takes 1074790400 bytes, and a picture may take 1073741824" in done.stdout
    assert done.stdout.endswith("True\n") and done.returncode == 0


def edm_names(number):
    return [f"{k // 10:05d}/img{k:08d}.png" for k in range(number)]


def write_edm(root, content, names):
    for k, name in enumerate(names):
        put(root / name, 40 + 80 * (k % 3))
    (root / "dataset.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return Folder(str(root), test_fraction=0.25)


@pytest.mark.parametrize("zipped", [False, True])
def test_labels_of_edms_tool_stand_in_its_json(tmp_path, zipped):
    names = edm_names(24)
    folder = write_edm(tmp_path / "in", {"labels": [[name, k % 3] for k, name in enumerate(names)]}, names)
    if zipped:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
            for path in sorted((tmp_path / "in").rglob("*.*")):
                file.write(path, path.relative_to(tmp_path / "in").as_posix())
        folder = Folder(str(tmp_path / "a.zip"), test_fraction=0.25)
    assert folder.num_classes == 3
    for split, number in (("train", 18), ("test", 6)):
        opened = folder.open(split)
        assert opened.num_images == number and not any("class" in note for note in opened.notes())
        greys = np.concatenate(list(opened.chunks))[:, 0, 0, 0]
        assert np.array_equal(greys, 40 + 80 * opened.labels)


def test_json_of_each_split_and_of_null(tmp_path):
    for split in ("train", "test"):
        write_edm(
            tmp_path / split, {"labels": [["00000/a.png", 0], ["00000\\b.png", 1]]}, ["00000/a.png", "00000/b.png"]
        )
    folder = Folder(str(tmp_path))
    assert folder.num_classes == 2 and sorted(folder.open("test").labels) == [0, 1]
    unlabelled = write_edm(tmp_path / "null", {"labels": None}, edm_names(12))
    assert unlabelled.num_classes is None and unlabelled.open("train").labels is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "dataset.json: not JSON"),
        ("[" * 100_000, "dataset.json: not JSON"),
        ({"labels": {"a": 1}}, "'labels' is neither a list"),
        ({"labels": {}}, "'labels' is neither a list"),
        ({"labels": 0}, "'labels' is neither a list"),
        ({"labels": [["00000/img00000000.png", [0.0, 1.0]]]}, "is not .name, class number.; only those are read"),
        ({"labels": [["00000/img00000000.png", -1]]}, "is not .name, class number."),
        ({"labels": [["00000/img00000000.png", True]]}, "is not .name, class number."),
        (
            {"labels": [["00000/img00000000.png", 0], ["gone.png", 1]]},
            r"a label for gone.png, which is not there \(1 of 2",
        ),
        ({"labels": [["00000/img00000000.png", 0]]}, "img0000000[1-9].png: has no label in dataset.json"),
        ({"labels": [[name, 2 * (k % 2)] for k, name in enumerate(edm_names(9))]}, "no picture has label 1"),
        (
            {"labels": [["00000/img00000000.png", 0], ["00000/img00000000.png", 1]]},
            "two labels for 00000/img00000000.png",
        ),
    ],
)
def test_a_json_that_cannot_be_meant_is_one_line(tmp_path, content, message):
    folder = write_edm(tmp_path, content, edm_names(9))
    with pytest.raises(UserError, match=message) as caught:
        folder.open("train")
        folder.open("test")
    assert "\n" not in str(caught.value)


def test_a_json_of_another_kind_is_said(tmp_path):
    folder = write_edm(tmp_path, {"name": "mine"}, ["cat/a.png", "dog/b.png", "cat/c.png", "dog/d.png"])
    assert folder.num_classes == 2
    assert "dataset.json without 'labels', which is not used" in folder.open("train").summary()


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        ([f"{k // 2 * 1000:06d}/{k // 2 * 1000 + k % 2:06d}.png" for k in range(8)], None),  # samples of EDM
        ([f"{k // 4:05d}/img{k // 4 * 1000 + k % 4:08d}.png" for k in range(8)], None),  # a data set of EDM's, no json
        ([f"{k % 2:05d}/{k:03d}.png" for k in range(8)], 2),  # numbers of classes
        ([f"{k % 2}/{k}.png" for k in range(8)], 2),
        ([f"000{k % 2}/000{k % 2}_c1_{k}.png" for k in range(8)], 2),
    ],
)
def test_folders_of_a_thousand_numbers_are_no_classes(tmp_path, names, classes):
    for k, name in enumerate(names):
        put(tmp_path / name, k)
    folder = Folder(str(tmp_path), test_fraction=0.25)
    assert folder.num_classes == classes
    said = folder.open("train").summary()
    assert ("subfolders number the pictures and are not classes" in said) == (classes is None)


def test_a_folder_without_pictures_is_no_class(tmp_path):
    for split in ("train", "test"):
        for value, name in enumerate(("cat", "dog")):
            put(tmp_path / split / name / "a.png", value)
    (tmp_path / "train" / "bird").mkdir()
    put(tmp_path / "train" / "@eaDir" / "a.png", 1)
    (tmp_path / "train" / "labels").mkdir()
    (tmp_path / "train" / "labels" / "a.txt").write_text("0")
    put(tmp_path / "extra" / "a.png", 1)
    folder = Folder(str(tmp_path))
    assert folder.num_classes == 2 and sorted(folder.open("train").labels) == [0, 1]
    assert folder.open("train").summary() == (
        "2 pictures of 2 classes; left out: 1 of .txt, 1 hidden or of an operating system; "
        "left out: 1 pictures outside train and test; left out as classes, without pictures: train/bird, train/labels"
    )
    put(tmp_path / "test" / "bird" / "a.png", 1)
    with pytest.raises(UserError, match="test: has class 'bird', unlike"):
        Folder(str(tmp_path)).open("train")


def diffbench(*arguments, cwd):
    command = [Path(sys.executable).parent / "diffbench", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


def prepared(dataset, cwd):
    outs = ("--out-train", "out/train.npz", "--out-test", "out/test.npz")
    return diffbench("prepare", "--spec", json.dumps({"dataset": dataset}), *outs, cwd=cwd)


def test_the_stage_says_what_it_read(three, tmp_path):
    (three / "run" / "again").symlink_to(".")
    (three / "a.heic").write_bytes(b"x")
    done = prepared({"name": "folder", "path": str(three), "test_fraction": 0.4}, tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    rest = "left out: 1 of .heic, run/again, read under another name"
    assert done.stderr.splitlines() == [
        f"dataset folder: train: 2 pictures of 1 class; {rest}",
        f"dataset folder: test: 1 picture of 1 class; {rest}",
    ]


def test_the_stage_ends_with_2_and_one_line_at_a_pipe_and_at_postscript(three, tmp_path):
    os.mkfifo(three / "run" / "pipe.png")
    spec = {"name": "folder", "path": str(three), "size": 4, "test_fraction": 0.5}
    done = prepared(spec, tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "is no regular file" in done.stderr
    (three / "run" / "pipe.png").unlink()
    (three / "run" / "eps.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    done = prepared(spec, tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "it is none of BMP" in done.stderr


def test_an_lmdb_cut_short_is_one_line_and_no_signal(tmp_path):
    import lmdb

    folder = tmp_path / "bedroom_train_lmdb"
    folder.mkdir()
    draws = np.random.default_rng(0)
    with lmdb.open(str(folder), map_size=2**24) as database, database.begin(write=True) as transaction:
        for k in range(200):
            transaction.put(f"{k:05d}".encode(), draws.bytes(9000))
    (tmp_path / "bedroom_val_lmdb").symlink_to(folder)
    file = folder / "data.mdb"
    whole = file.read_bytes()
    for share in (0.9, 0.5, 0.1):
        file.write_bytes(whole[: int(len(whole) * share)])
        done = prepared({"name": "lsun", "path": str(tmp_path), "size": 4}, tmp_path)
        assert done.returncode == 2, signal.Signals(-done.returncode)
        assert done.stderr.count("\n") == 1 and "cannot be read as LMDB (it ends at byte" in done.stderr
    for length in (0, 100, 4096, 8192, len(whole) - 1):
        file.write_bytes(whole[:length])
        code = (
            "import sys; from diffbench.base.errors import UserError; from diffbench.datasets.lsun import Lsun\n"
            "try: list(Lsun(sys.argv[1], size=4).open('train').chunks)\n"
            "except UserError as error: print(error)\n"
        )
        done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.count("\n") == 1, (length, done)
