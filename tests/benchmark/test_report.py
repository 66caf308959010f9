"""Tables and figures: what each is made from, what is made beside it, and what moves it."""

from pathlib import Path

import pytest
import yaml

from diffbench.base.digests import spec_digest
from diffbench.benchmark.graph import Graph
from diffbench.benchmark.load import parse_benchmark
from diffbench.benchmark.report import Report
from diffbench.benchmark.reported import Drawing

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "workflow/config/smoke.yaml"


def report(change=lambda content: None) -> Report:
    content = yaml.safe_load(SMOKE.read_text())
    change(content)
    return Report(Graph(parse_benchmark(content, "smoke.yaml"), Path("/home")))


def figure(found: Report, name: str) -> Drawing:
    """Return a figure by its name."""
    return next(made for made in found.drawn.figures if made.path == f"results/figures/{name}.png")


@pytest.fixture(scope="module")
def whole() -> Report:
    return report()


def test_everything_is_each_table_and_figure_once(whole):
    names = [made.path.removeprefix("results/") for made in whole.everything()]
    assert len(names) == len(set(names))
    models = ("ddpm", "iddpm", "adm_g", "adm_low", "adm_u", "upsampled_real")
    figures = [f"samples_{model}" for model in models] + ["progressive_ddpm", "progressive_iddpm"]
    figures += ["rate_distortion", "fid_vs_steps", "guidance_tradeoff", "upsampling"]
    tables = ["table1", "table2", "table3", "table4", "table5", "rate_distortion"]
    tables = [f"{name}.{kind}" for name in tables for kind in ("csv", "md", "html")]
    assert set(names) == {*tables, *(f"figures/{name}.{kind}" for name in figures for kind in ("png", "svg", "pdf"))}
    assert {made.path for made in whole.tables()} == {f"results/{name}" for name in tables}
    for made in whole.everything():
        assert made.spec is not None and made.digest == spec_digest(made.spec)


def test_a_table_rests_on_its_scores_and_names_what_lies_beside_it(whole):
    table = whole.table2
    assert table.files("scores")[0] == "results/scores/digits/real.json"
    assert "results/figures/samples_ddpm.png" in table.files("beside_it")
    assert table.records("scores") == [f"{path}.json" for path in table.files("scores")]
    assert table.spec["upstream"].keys() == {"scores", "beside_it"}
    (drawn,) = whole.figures_of_table2.drawings
    assert drawn.spec["figure"] == {"name": "fid_vs_steps"} and drawn.spec["upstream"] == {"table": table.digest}
    assert drawn.spec["sources"] == {"table": ["results/table2.csv"]}
    assert "results/scores/bound/ddpm/train0.json" in whole.table3.files("scores")
    assert not [path for path in whole.table3.files("scores") if "adm_g" in path]


def test_another_guidance_scale_moves_its_tables_and_picture_alone(whole):
    def stronger(content):
        content["runs"][1]["guidance_scales"] = [0, 2]

    before, after = ({made.path: made.digest for made in found.everything()} for found in (whole, report(stronger)))
    moved = {path.removeprefix("results/") for path in before if before[path] != after[path]}
    moved = {path for path in moved if not path.endswith((".svg", ".pdf", ".md", ".html"))}
    figures = {f"figures/{name}.png" for name in ("samples_adm_g", "fid_vs_steps", "guidance_tradeoff")}
    assert moved == {"table1.csv", "table2.csv", "table4.csv", *figures}


def test_a_picture_shows_the_first_seeds_in_the_order_of_samplers_steps_and_scales():
    def more(content):
        content["runs"][1] |= {"samplers": ["ddim", "ancestral"], "steps": [8, 4], "train_seeds": [0, 1]}

    labels = figure(report(more), "samples_adm_g").spec["labels"]
    assert labels == [
        f"{sampler}, {steps} steps, scale {scale}"
        for sampler in ("ancestral", "ddim")
        for steps in (4, 8)
        for scale in (0, 1)
    ]


def test_a_picture_names_its_model_and_the_steps_of_both_models_of_a_cascade(whole):
    spec = figure(whole, "samples_adm_u").spec
    assert spec["figure"] == {"name": "samples", "title": "Samples of adm_u, by sampler and steps"}
    assert spec["labels"] == ["ancestral, 2 + 4 steps"]
    assert figure(whole, "samples_upsampled_real").spec["labels"] == ["ancestral, 4 steps"]
    assert figure(whole, "upsampling").spec["figure"]["title"]


def test_an_upsampler_is_shown_with_what_it_was_given_and_real_images_with_the_truth(whole):
    shown = figure(whole, "upsampling")
    assert shown.spec["labels"] == [
        *("adm_u, given", "adm_u, upsampled"),
        *("upsampled_real, given", "upsampled_real, upsampled", "upsampled_real, true"),
    ]
    assert shown.files("images")[-1] == "results/data/test.npz" and len(shown.files("images")) == 5


def test_without_guidance_and_upsampling_there_is_no_table_of_them():
    def plain(content):
        content["runs"] = content["runs"][:1]

    names = {made.path for made in report(plain).everything()}
    assert not names & {"results/table4.csv", "results/table5.csv", "results/figures/upsampling.png"}


def test_a_comparison_has_a_table_of_the_sets_that_it_asks_for():
    def asked(content):
        run = {**content["runs"][0], "models": ["ddpm"], "steps": [4, 5], "in_table": False}
        content["runs"].append(run)

    found = report(asked)
    assert found.comparison.path == "results/compared/{comparison}/table.csv"
    sets = found.comparison.spec["sets"]
    assert [(row["sampler"], row["steps"]) for row in sets] == [
        (sampler, steps) for sampler in ("ancestral", "ddim") for steps in (4, 5)
    ]
    # Of four steps, those of the table.
    assert sets[0]["scores"].startswith("results/scores/") and sets[1]["scores"].startswith("results/compared/n100/")
    assert [row["features"] for row in sets] == [made.path for made in found.compared_features]
    (drawn,) = found.comparison_figures.drawings
    assert drawn.spec["upstream"] == {"table": found.comparison.digest}


def test_every_table_and_figure_has_a_caption_for_snakemakes_report(whole):
    figures = {drawing.kind for group in whole.groups() for drawing in group.drawings}
    tables = {Path(made.path).stem for made in whole.tables()}
    written = {path.stem: path.read_text() for path in (ROOT / "workflow/captions").glob("*.rst")}
    assert set(written) == figures | tables | {"page"} and all(written.values())
