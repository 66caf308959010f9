"""From files to pictures, and what is said when figure and files do not belong together."""

import json

import numpy as np
import pytest
from PIL import Image

from diffbench.base.arrays import save_npz
from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_provenance
from diffbench.figures._style import empty_figure
from diffbench.figures.samples import Samples
from diffbench.jobs.plot import FigurePart, PlotJob
from diffbench.stages.plot import main, plot


def call(tmp_path, figure, *arguments, labels=(), **sources):
    """Return the PNG that the stage drew; sources: a path or several of each kind."""
    out = tmp_path / "figure.png"
    named = {kind: [str(path) for path in np.ravel(found)] for kind, found in sources.items()}
    spec = {"figure": figure, "sources": named, "labels": labels}
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
    figure = {"name": "fid_vs_steps"}
    first = sha256(call(tmp_path, figure, "--run-record", tmp_path / "plot.run.json", table=table))
    out = call(tmp_path, figure, table=table)
    assert sha256(out) == first
    assert sha256(call(tmp_path, "fid_vs_steps", table=table)) == first
    assert read_provenance(out)["inputs"] == {str(table): sha256(table)}
    assert json.loads((tmp_path / "plot.run.json").read_text())["stage"] == "plot"


def test_one_process_draws_several_figures_in_several_formats(tmp_path, table):
    jobs = [{"figure": {"name": name}, "sources": {"table": [str(table)]}} for name in ("fid_vs_steps", "fid_vs_nfe")]
    made = [tmp_path / f"{name}.{kind}" for name in ("b", "a") for kind in ("png", "svg", "pdf")]
    command = ["--spec", json.dumps({"figures": jobs}), "--out", *map(str, made)]
    main(command)
    first = [sha256(path) for path in made]
    for path, start in zip(made, (b"\x89PNG", b"<?xml", b"%PDF") * 2, strict=True):
        assert path.read_bytes().startswith(start)
        assert read_provenance(path)["spec"]["figure"]["name"] == ("fid_vs_steps" if path.stem == "b" else "fid_vs_nfe")
    main(command)
    assert [sha256(path) for path in made] == first
    with pytest.raises(UserError, match="--out: files of 1 figures, but the spec asks for 2"):
        main(["--spec", json.dumps({"figures": jobs}), "--out", str(made[0])])
    with pytest.raises(UserError, match=r"a\.jpg: the ending is not a format of figures; \.png, \.svg, \.pdf are"):
        main(["--spec", json.dumps({"figures": jobs}), "--out", str(made[0]), str(tmp_path / "a.jpg")])
    jobs[1]["sources"] = {}
    with pytest.raises(UserError, match="figure fid_vs_nfe: is drawn from sources table; given: nothing"):
        main(command[:1] + [json.dumps({"figures": jobs})] + command[2:])


def test_the_samples_of_a_column_start_alike_only_if_the_records_say_so(tmp_path, images, monkeypatch):
    drawn = []
    monkeypatch.setattr(Samples, "__call__", lambda self, found: drawn.append(found) or empty_figure())
    specs = [{"dataset": "digits"}, {"sampler": "ddim", "seed": 3}, {"sampler": "ancestral", "seed": 3}]
    for path, spec in zip(images, specs, strict=True):
        write_provenance(path, spec=spec)
    call(tmp_path, "samples", labels=["a", "b"], real=images[0], images=images[1:])
    assert [found.start for found in drawn[0].values()] == [None, "3", "3"]
    write_provenance(images[2], spec=specs[2] | {"low_res": {"model": "real"}})
    call(tmp_path, "samples", labels=["a", "b"], images=images[1:])
    assert [found.start for found in drawn[1].values()] == ["3", "3, upsampled"]


def test_traces_and_neighbours_to_pictures(tmp_path, images):
    way = np.zeros((1, 2, 8, 8, 1), np.uint8)
    held = {"x_0": way, "x_t": way, "samples": way[:, 0], "step": [0, 1], "sigma": [1.0, 0.1], "index": [0]}
    held = {f"generation_{name}": np.array(value) for name, value in held.items()}
    held |= {"interpolation_images": way, "interpolation_index": np.array([[0, 1]])}
    held |= {f"{half}_num_steps": np.array(2) for half in ("generation", "interpolation")}
    save_npz(tmp_path / "traces.npz", held)
    call(tmp_path, "progressive_generation", traces=tmp_path / "traces.npz")
    call(tmp_path, "interpolation", traces=tmp_path / "traces.npz")
    call(tmp_path, "nearest_neighbours", samples=images[1], training=images[0])
    with pytest.raises(
        UserError, match="10.npz: no arrays 'interpolation_...', so it is not a file of the stage trace"
    ):
        call(tmp_path, "interpolation", traces=images[1])
    with pytest.raises(UserError, match="features and training_features are given together, or not at all"):
        call(tmp_path, "nearest_neighbours", samples=images[1], training=images[0], features=images[1])


def test_images_to_picture(tmp_path, images):
    figure = {"name": "samples", "columns": 4, "title": "ddpm"}
    out = call(tmp_path, figure, labels=["ddim, 10 steps", "ddim, 25 steps"], real=images[0], images=images[1:])
    assert len(read_provenance(out)["inputs"]) == 3


def test_the_classes_of_images_are_read_beside_them(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(Samples, "__call__", lambda self, images: seen.update(images) or empty_figure(10, 10))
    arrays = {"arr_0": np.zeros((3, 8, 8, 1), np.uint8)}
    labels = {"classes": np.array([2, 0, 1]), "chances": np.ones((3, 10)), "none": None}
    for name, found in labels.items():
        save_npz(tmp_path / f"{name}.npz", arrays if found is None else arrays | {"arr_1": found})
    files = [tmp_path / f"{name}.npz" for name in labels]
    sources = {"images": tuple(map(str, files))}
    plot(PlotJob(figure=FigurePart("samples"), labels=tuple(labels), sources=sources), out=[tmp_path / "a.png"])
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
    call(tmp_path, "rate_distortion", labels=["ddpm"], terms=path)
    call(tmp_path, {"name": "progressive", "title": "ddpm"}, terms=path)
    with pytest.raises(UserError, match="progressive: needs one file of sources.terms, not 2"):
        call(tmp_path, "progressive", terms=[path, path])
    save_npz(path, {name: terms[name] for name in ("width", "curve_timesteps", "curve_rate", "curve_x_0_mse")})
    with pytest.raises(UserError, match="terms.npz: no array 'originals'"):
        call(tmp_path, "progressive", terms=path)


def test_what_does_not_belong_together(tmp_path, table, images):
    with pytest.raises(UserError, match="samples: is drawn from sources images, and perhaps real; given: table"):
        call(tmp_path, "samples", table=table)
    with pytest.raises(UserError, match="fid_vs_steps: is drawn from sources table; given: real, table"):
        call(tmp_path, "fid_vs_steps", table=table, real=images[0])
    with pytest.raises(UserError, match="1 labels for 2 files"):
        call(tmp_path, "samples", labels=["a"], images=images[:2])
    with pytest.raises(UserError, match="nowhere.csv: no such file"):
        call(tmp_path, "fid_vs_steps", table=tmp_path / "nowhere.csv")
    with pytest.raises(UserError, match="did you mean 'samples'"):
        call(tmp_path, "sample", images=images[0])
    assert not list(tmp_path.glob("*.png*"))


def test_inputs_of_another_kind_are_one_line(tmp_path):
    save_npz(tmp_path / "floats.npz", {"arr_0": np.zeros((4, 8, 8, 1))})
    (tmp_path / "bytes.csv").write_bytes(bytes(range(256)))
    samples, fids = FigurePart("samples"), FigurePart("fid_vs_steps")
    floats, text = {"images": (str(tmp_path / "floats.npz"),)}, {"table": (str(tmp_path / "bytes.csv"),)}
    with pytest.raises(UserError, match=r"floats\.npz: arr_0 is float64"):
        plot(PlotJob(figure=samples, labels=("a",), sources=floats), out=[tmp_path / "a.png"])
    with pytest.raises(UserError, match="not a table in CSV"):
        plot(PlotJob(figure=fids, sources=text), out=[tmp_path / "a.png"])
    assert not (tmp_path / "a.png").exists()
