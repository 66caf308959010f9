"""From files to pictures, and what is said when figure and files do not belong together."""

import json

import numpy as np
import pytest
from PIL import Image

from diffbench.base.arrays import save_npz
from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.provenance_file import read_provenance
from diffbench.figures._style import empty_figure
from diffbench.figures.samples import Samples
from diffbench.jobs.plot import FigurePart, PlotJob
from diffbench.stages.plot import main, plot


def call(tmp_path, spec, *arguments):
    out = tmp_path / "figure.png"
    main(["--spec", json.dumps(spec), *map(str, arguments), "--out", str(out)])
    with Image.open(out) as picture:
        picture.verify()
    return out


@pytest.fixture
def table(tmp_path):
    """Return the path of a small table."""
    head = "benchmark,model,sampler,steps,nfe,guidance_scale,train_seed,sample_seed,num_images,protocol"
    head += ",fid,fid_low,fid_high"
    rows = [
        "d,real,,,,,,,50,p,3,2,4",
        "d,ddpm,ddim,10,10,,0,0,50,p,30,20,40",
        "d,ddpm,ddim,25,25,,0,0,50,p,9,8,10",
    ]
    path = tmp_path / "table2.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


@pytest.fixture
def images(tmp_path):
    """Return the paths of three small image sets."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{name}.npz" for name in ("real", "10", "25")]
    for path in paths:
        save_npz(path, {"arr_0": rng.integers(0, 256, (20, 8, 8, 1), np.uint8)})
    return paths


def test_table_to_picture_twice_the_same(tmp_path, table):
    spec = {"figure": {"name": "fid_vs_steps"}}
    first = sha256(call(tmp_path, spec, "--table", table, "--run-record", tmp_path / "plot.run.json"))
    out = call(tmp_path, spec, "--table", table)
    assert sha256(out) == first
    assert sha256(call(tmp_path, {"figure": "fid_vs_steps"}, "--table", table)) == first
    assert read_provenance(out)["inputs"] == {str(table): sha256(table)}
    assert json.loads((tmp_path / "plot.run.json").read_text())["stage"] == "plot"


def test_a_figure_of_a_tables_job(tmp_path, table):
    spec = {"benchmark": "d", "table": {"name": "table2"}, "upstream": {"scores": ["0" * 16]}}
    out = call(tmp_path, spec | {"figure": {"name": "fid_vs_steps"}}, "--table", table)
    assert read_provenance(out)["spec"] == spec | {"figure": {"name": "fid_vs_steps"}}
    with pytest.raises(UserError, match="--spec: the table's job has no 'figure'"):
        call(tmp_path, spec, "--table", table)


def test_images_to_picture(tmp_path, images):
    spec = {
        "figure": {"name": "samples", "columns": 4, "title": "ddpm"},
        "labels": ["ddim, 10 steps", "ddim, 25 steps"],
    }
    out = call(tmp_path, spec, "--real", images[0], "--images", *images[1:])
    assert len(read_provenance(out)["inputs"]) == 3


def test_the_classes_of_images_are_read_beside_them(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(Samples, "__call__", lambda self, images: seen.update(images) or empty_figure(10, 10))
    arrays = {"arr_0": np.zeros((3, 8, 8, 1), np.uint8)}
    labels = {"classes": np.array([2, 0, 1]), "chances": np.ones((3, 10)), "none": None}
    for name, found in labels.items():
        save_npz(tmp_path / f"{name}.npz", arrays if found is None else arrays | {"arr_1": found})
    files = [tmp_path / f"{name}.npz" for name in labels]
    plot(PlotJob(figure=FigurePart("samples"), labels=tuple(labels)), out=tmp_path / "a.png", images=files)
    assert seen["classes"].labels.tolist() == [2, 0, 1]
    assert seen["chances"].labels is None and seen["none"].labels is None


def test_terms_to_picture(tmp_path):
    rng = np.random.default_rng(0)
    terms = {"width": np.ones(10), "curve_timesteps": np.array([0, 3, 7])}
    terms |= {"curve_rate": np.tile([2.0, 0.5, 0.1], (5, 1)), "curve_x_0_mse": rng.random((5, 3))}
    terms["originals"] = rng.integers(0, 256, (2, 8, 8, 1), np.uint8)
    terms["reconstructions"] = rng.integers(0, 256, (2, 3, 8, 8, 1), np.uint8)
    path = tmp_path / "terms.npz"
    save_npz(path, terms)
    call(tmp_path, {"figure": {"name": "rate_distortion"}, "labels": ["ddpm"]}, "--terms", path)
    call(tmp_path, {"figure": {"name": "progressive", "title": "ddpm"}}, "--terms", path)
    with pytest.raises(UserError, match="progressive: shows one model; give --terms one file, not 2"):
        call(tmp_path, {"figure": {"name": "progressive"}}, "--terms", path, path)
    save_npz(path, {name: terms[name] for name in ("width", "curve_timesteps", "curve_rate", "curve_x_0_mse")})
    with pytest.raises(UserError, match="terms.npz: no array 'originals'"):
        call(tmp_path, {"figure": {"name": "progressive"}}, "--terms", path)


def test_what_does_not_belong_together(tmp_path, table, images):
    with pytest.raises(UserError, match="samples: is drawn from --images"):
        call(tmp_path, {"figure": {"name": "samples"}}, "--table", table)
    with pytest.raises(UserError, match="fid_vs_steps: is drawn from --table"):
        call(tmp_path, {"figure": {"name": "fid_vs_steps"}}, "--table", table, "--real", images[0])
    with pytest.raises(UserError, match="1 labels for 2 files"):
        call(tmp_path, {"figure": {"name": "samples"}, "labels": ["a"]}, "--images", *images[:2])
    with pytest.raises(UserError, match="nowhere.csv: no such file"):
        call(tmp_path, {"figure": {"name": "fid_vs_steps"}}, "--table", tmp_path / "nowhere.csv")
    with pytest.raises(UserError, match="did you mean 'samples'"):
        call(tmp_path, {"figure": {"name": "sample"}}, "--images", images[0])
    assert not list(tmp_path.glob("*.png*"))


def test_inputs_of_another_kind_are_one_line(tmp_path):
    save_npz(tmp_path / "floats.npz", {"arr_0": np.zeros((4, 8, 8, 1))})
    (tmp_path / "bytes.csv").write_bytes(bytes(range(256)))
    samples = PlotJob(figure=FigurePart("samples"), labels=("a",))
    with pytest.raises(UserError, match=r"floats\.npz: arr_0 is float64"):
        plot(samples, out=tmp_path / "a.png", images=[tmp_path / "floats.npz"])
    with pytest.raises(UserError, match="not a table in CSV"):
        plot(PlotJob(figure=FigurePart("fid_vs_steps")), out=tmp_path / "a.png", table=tmp_path / "bytes.csv")
    assert not (tmp_path / "a.png").exists()
