"""A cascade in the workflow: what is made, and what a change of the base repeats."""

from collections import Counter


def jobs(tree):
    return {(rule, wildcards.get("model", "")) for rule, wildcards in tree.plan("table5")}


def test_another_base_sampler_samples_base_and_cascade_again_and_trains_nothing(cascade):
    cascade.configure(lambda config: config["samplers"]["ddim"].update(eta=0.5))
    assert jobs(cascade) == {
        ("sample", "adm_low"), ("sample", "adm_u"), ("extract", "adm_u"), ("score_samples", "adm_u"),
        ("figures_upsampling", ""), ("table5", ""),
    }  # fmt: skip


def test_a_base_trained_otherwise_leaves_the_upsampler_as_it_is(cascade):
    cascade.configure(lambda config: config["models"]["adm_low"].update(schedule="cosine"))
    planned = cascade.plan("table5")
    assert [wildcards["model"] for rule, wildcards in planned if rule == "train"] == ["adm_low"]
    sampled = Counter(wildcards["model"] for rule, wildcards in planned if rule == "sample")
    # The base twice: as a row of its own, and for the cascade.
    assert sampled == Counter(adm_low=2, adm_u=1)


def test_an_upsampler_trained_otherwise_leaves_the_base_as_it_is(cascade):
    cascade.configure(lambda config: config["models"]["upsampler"]["network"].update(head_channels=4))
    planned = cascade.plan("table5")
    assert [wildcards["model"] for rule, wildcards in planned if rule == "train"] == ["upsampler"]
    assert {w["model"] for rule, w in planned if rule == "sample"} == {"adm_u", "upsampled_real"}
    assert "score_pairs" in {rule for rule, _ in planned}


def test_the_jobs_of_table_5(upsampling):
    planned = upsampling.plan("table5")
    assert upsampling.count(planned) == Counter(
        prepare=1, shrink=2, train=2, sample=4, extract_real=2, extract=3, score_real=1, score_samples=3, score_pairs=1,
        figures_upsampling=1, table5=1,
    )  # fmt: skip
    # What the table of all rows asks for beside: no bound of an upsampler or of a smaller model.
    assert not {"bound", "score_bound"} & {rule for rule, _ in upsampling.plan("table2")}
