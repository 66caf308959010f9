"""Sets of images as people have them, as the `.npz` files that stages read: pictures in a folder, data sets by name."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from diffbench.base import plugins
from diffbench.base.arrays import read_member, writing_npz
from diffbench.base.artifacts import digest, provenance_path, require_files, write_provenance
from diffbench.base.codehash import code_hash
from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.commands._samplers import parsed
from diffbench.datasets._decode import header_shape, require_shape
from diffbench.datasets._pictures import SUFFIXES, PictureTree
from diffbench.stages.prepare import prepare

GREY = ("1", "L", "LA")
"""Pillow's modes without colour."""


def image_file(path: Path, cache: Path, channels: int | None = None) -> Path:
    """Return an `.npz` of the images at a path: itself where it is one, else its pictures, in the order of their names.

    path: an `.npz`, or a folder or zip archive of pictures, all of one size. channels: 3, grey pictures repeated, or
    1, colour reduced to its luma; None: 1 where every picture is grey.
    Raises: UserError naming the picture that does not fit.
    """
    if path.suffix == ".npz" or not (path.is_dir() or path.suffix == ".zip"):
        require_files([path])
        return path
    tree = PictureTree(path)
    names = tree.pictures
    if not names:
        raise UserError(f"{path}: no pictures below it (looked for {', '.join(SUFFIXES)})")
    total, shape = hashlib.sha256(), None
    all_grey = True
    for name in names:
        content = tree.read(name)
        found = header_shape(content, 3, tree.where(name))
        shape = shape or found
        require_shape(found, shape, tree.where(name), f"{tree.where(names[0])} is")
        all_grey = all_grey and (channels is not None or _is_grey(content))
        total.update(f"{name}\0{len(content)}\0".encode() + content)
    assert shape is not None
    channels = channels or (1 if all_grey else 3)
    code = code_hash(["diffbench.datasets._pictures"])
    packed = cache / "pictures" / f"{digest([total.hexdigest(), channels, code])[:24]}.npz"
    if not (packed.is_file() and provenance_path(packed).is_file()):
        with (
            writing_npz(packed) as writer,
            writer.member("arr_0", (len(names), *shape[:2], channels), np.uint8) as images,
        ):
            for chunk in tree.chunks(names, channels, None):
                images.write(chunk)
        # With a record, by which every reader finds damage.
        write_provenance(packed, spec={"channels": channels, "code": code})
    return packed


def _is_grey(picture: bytes) -> bool:
    with Image.open(io.BytesIO(picture)) as image:  # its header was read before
        return image.mode in GREY


def reference_file(text: str, data: Path | None, split: str, cache: Path) -> tuple[Path, str]:
    """Return an `.npz` of the reference that a text names, and how a protocol calls it: its path, train or test.

    text: a path as for `image_file`, or a data set with its options: `digits`, `mnist:data/mnist`,
    `folder:photos size=64`. data: the data set's path, where the text does not say it. Raises: UserError.
    """
    known = plugins.names("datasets")
    word = (text.split() or [""])[0].partition(":")[0]
    if word not in known:
        path = Path(text)
        if not path.exists() and path.suffix != ".npz":
            kinds = "neither an .npz, a folder or a zip of pictures, nor a data set"
            raise UserError(f"--reference {text}: {kinds}; {nearest(word, known)}")
        if data is not None:
            raise UserError(f"--data: goes with a data set's name as --reference, and {text} is a file or folder")
        packed = image_file(path, cache)
        return packed, str(packed)
    if split not in ("train", "test"):
        raise UserError(f"--split {split}: is not allowed; allowed: train, test")
    options = _data_set(text, data)
    spec = {"dataset": options}
    folder = cache / "references" / digest(spec)[:24]
    # Written each time: what lies at a path may have changed, and reading it is little beside extracting features.
    prepare(spec, out_train=folder / "train.npz", out_test=folder / "test.npz")
    return folder / f"{split}.npz", split


def _data_set(text: str, data: Path | None) -> dict[str, Any]:
    name, options = parsed(text, "--reference")
    name, found, path = name.partition(":")
    given = [str(value) for value in (path or None, data, options.get("path")) if value is not None]
    if found and not path or len(given) > 1:
        raise UserError(f"--reference {text}: give the path of the data once, as {name}:PATH or by --data")
    if given:
        options["path"] = given[0]
    takes_path = any(field == "path" for field in plugins.load("datasets", name).__dataclass_fields__)
    if takes_path and not given:
        raise UserError(f"--reference {name}: say where the data are, as {name}:PATH or by --data")
    if given and not takes_path:
        raise UserError(f"--reference {name}: brings its own images; leave the path out")
    plugins.configure(plugins.load("datasets", name), options, f"--reference {name}")
    return {"name": name, **options}


def channels_of(images: Path) -> int:
    """Return the channels of an `.npz` of images. Raises: UserError where it holds none."""
    found = read_member(images, "arr_0")
    if found.ndim != 4:
        wanted = "uint8 images (n, height, width, channels)"
        raise UserError(f"{images}: arr_0 is {found.dtype}{found.shape}, wanted {wanted}")
    return found.shape[3]
