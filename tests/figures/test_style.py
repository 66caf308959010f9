"""How figures become files: every format, and the same bytes in processes that differ in all that must not count."""

import hashlib
import os
import re
import subprocess
import sys

import pytest

from diffbench.figures._style import FORMATS, empty_figure, save_figure

DRAWN = """
import os, sys
from pathlib import Path
os.umask(int(sys.argv[2], 8))
import numpy as np, pandas
from diffbench.figures.fid_vs_steps import FidVsSteps
from diffbench.figures.samples import Samples
from diffbench.figures._pictures import Pictures
from diffbench.figures._style import FORMATS, save_figure
rows = [
    {"model": model, "sampler": "ddim", "steps": steps, "nfe": steps, "fid": 1234.5 / steps}
    for model in ("ddpm", "iddpm \\u03b5") for steps in (10, 25, 100)
]
keys = {"train_seed": 0, "sample_seed": 0, "num_images": 50, "protocol": "p", "benchmark": "digits"}
table = pandas.DataFrame(rows).assign(guidance_scale=np.nan, fid_low=1.0, fid_high=200.0, **keys)
pictures = Pictures(np.arange(2 * 16, dtype=np.uint8).reshape(2, 4, 4, 1), None)
for name, figure in {"line": FidVsSteps()(table), "images": Samples(columns=2)({"ddim, 10 steps": pictures})}.items():
    save_figure(figure, {kind: Path(sys.argv[1]) / f"{name}.{kind}" for kind in FORMATS})
"""


def drawn_in(folder, umask, **environment):
    """Return the digests of files that a process of its own has drawn in a folder."""
    folder.mkdir()
    settings = os.environ | environment
    subprocess.run([sys.executable, "-c", DRAWN, str(folder), umask], check=True, cwd=folder, env=settings)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.suffix}


def test_two_processes_write_the_same_bytes(tmp_path):
    first = drawn_in(tmp_path / "a", "022", PYTHONHASHSEED="1", LC_ALL="C", TZ="UTC")
    other = {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo", "SOURCE_DATE_EPOCH": "86400"}
    assert first == drawn_in(tmp_path / "b", "077", **other)
    assert len(first) == 2 * len(FORMATS)
    for path in (tmp_path / "a").iterdir():
        assert not re.search(rb"Matplotlib|CreationDate|dc:date|tEXt", path.read_bytes()), path.name


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_what_it_is_called(name, tmp_path):
    figure = empty_figure(width=200, height=100)
    figure.text(0.1, 0.5, "some text")
    save_figure(figure, {name: tmp_path / "figure.tmp"})
    content = (tmp_path / "figure.tmp").read_bytes()
    assert content.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[name])
    if name == "pdf":
        assert b"/TrueType" in content or b"/CIDFontType2" in content
        assert b"/Type3" not in content
    if name == "svg":
        assert b"<text" not in content, "text must not depend on the reader's fonts"
