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


FROM_NOISE = ("ddpm", "iddpm", "adm_low")


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
    figures += ["rate_distortion", "fid_vs_steps", "guidance_tradeoff", "upsampling", "fid_vs_nfe", "precision_recall"]
    figures += ["differences", "vlb_terms", "schedules", "gradient_noise", "training_curves", "validation_loss"]
    figures += [f"nearest_neighbours_{model}" for model in models]
    # Samples are followed from noise to image where no guidance and no other image has a part in them.
    figures += [f"{name}_{model}" for name in ("progressive_generation", "interpolation") for model in FROM_NOISE]
    tables = ["table1", "table2", "table3", "table4", "table5", "rate_distortion"]
    tables = ["differences.csv", "claims.csv", *(f"{name}.{kind}" for name in tables for kind in ("csv", "md", "html"))]
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
    drawn, *_ = whole.figures_of_table2.drawings
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
    # The samples of the entry's own scale, of which neighbours are shown, are not there any more.
    own = ("samples_adm_g", "nearest_neighbours_adm_g")
    of_tables = ("fid_vs_steps", "guidance_tradeoff", "fid_vs_nfe", "precision_recall", "differences")
    figures = {f"figures/{name}.png" for name in (*own, *of_tables)}
    assert moved == {"table1.csv", "table2.csv", "table4.csv", "differences.csv", "claims.csv", *figures}


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


def test_differences_are_to_the_first_sampler_and_model_and_need_two_sets(whole):
    made = whole.differences
    assert made is not None and made.path == "results/differences.csv"
    assert made.spec["baselines"] == {"sampler": "ancestral", "model": "ddpm"}
    assert set(made.files("scores")) == {item["scores"] for item in made.spec["sets"]}
    assert "results/differences.csv" in whole.table2.files("beside_it")

    def one_set(content):
        content["runs"] = [content["runs"][0] | {"models": ["ddpm"], "samplers": ["ancestral"], "steps": [4]}]

    alone = report(one_set)
    assert alone.differences is None
    assert not [made for made in alone.everything() if "differences" in made.path]


def test_schedules_and_logs_of_all_models_are_drawn(whole):
    assert figure(whole, "schedules").spec["figure"]["chains"].keys() == {"linear", "cosine"}
    assert not figure(whole, "schedules").sources
    curves = figure(whole, "training_curves")
    assert curves.spec["labels"][0] == "ddpm" and "classifier noisy" in curves.spec["labels"]
    assert curves.files("logs")[0] == "results/models/ddpm/train0/log.csv"
    assert "classifier noisy" not in figure(whole, "gradient_noise").spec["labels"]


def test_neighbours_are_those_of_the_most_steps_at_the_own_scale_and_of_features_at_full_size(whole):
    def sources(model):
        return figure(whole, f"nearest_neighbours_{model}").spec["sources"]

    assert sources("ddpm")["samples"] == ["results/samples/ddpm/train0/ancestral/sample0/8.npz"]
    assert sources("adm_g")["samples"] == ["results/samples/adm_g/train0/ancestral/sample0/4.npz"]
    assert sources("ddpm")["training_features"] == ["results/features/digits_features/real/train.npz"]
    assert sources("adm_low") == {
        "samples": ["results/samples/adm_low/train0/ancestral/sample0/4.npz"],
        "training": ["results/data/train_4.npz"],
    }
    assert figure(whole, "interpolation_ddpm").spec["sources"] == {"traces": ["results/traces/ddpm/train0.npz"]}


def test_a_short_chain_is_followed_whole_and_a_learned_diagonal_at_all_its_steps():
    def steps(**changes):
        def change(content):
            content["models"] = {"ddpm": content["models"]["ddpm"] | changes}
            del content["classifiers"]
            content["runs"] = [content["runs"][0] | {"models": ["ddpm"], "steps": [changes["timesteps"]]}]

        spec = report(change).graph.traces("ddpm").spec
        return [spec[name]["steps"] for name in ("generation", "interpolation")], spec["generation"]["points"]

    assert steps(timesteps=1000) == ([100, 25], 11)
    assert steps(timesteps=9, schedule="cosine") == ([9, 9], 9)
    assert steps(timesteps=30, schedule="cosine", variance="learned_diagonal", objective="vlb") == ([30, 30], 11)


def test_every_table_and_figure_has_a_caption_for_snakemakes_report(whole):
    figures = {drawing.kind for group in whole.groups() for drawing in group.drawings}
    tables = {Path(made.path).stem for made in whole.tables()}
    written = {path.stem: path.read_text() for path in (ROOT / "workflow/captions").glob("*.rst")}
    # No paper published numbers on the smoke benchmark's data, so that it has no table beside them.
    assert set(written) == figures | tables | {"page", "published"} and all(written.values())


def test_scores_stand_beside_published_numbers_only_where_there_are_some(whole):
    assert whole.published is None and not whole.figures_of_published.drawings
    content = yaml.safe_load((ROOT / "workflow/config/cifar10.yaml").read_text())
    found = Report(Graph(parse_benchmark(content, "cifar10.yaml"), Path("/home")))
    made = found.published
    assert made is not None and made.path == "results/published.csv" and made in found.tables()
    assert made.path in found.table2.files("beside_it")
    assert made.paths_of_records("data") == ["results/data/train.npz.json"]
    assert made.files("images") == ["results/data/train.npz"], "CIFAR-10 was published as pixels"
    (drawn,) = found.figures_of_published.drawings
    assert drawn.spec["sources"] == {"table": [made.path]}
    assert {row["scores"] for row in made.spec["reproduced"]} == {*made.files("scores")}
    assert "+" in made.spec["code"], "the published numbers are part of what the table is made from"
