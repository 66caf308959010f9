"""Samplers compared: `diffbench compare-samplers` asks for this, with runs that stand in no table."""

FIDS = [row for row in ASKED if measures(bench.protocols, row.protocols, "fid")]


def compared_sets():
    """Return what a comparison reads: every set that it asks for, and where its scores and what they are of lie."""
    return [
        ComparedSet(
            model=row.model,
            sampler=row.sampler,
            steps=row.steps,
            train_seed=row.train_seed,
            sample_seed=row.sample_seed,
            protocol=name,
            scores=graph.scores(name, row).path,
            features=graph.features(bench.extractor_of(name), row).path,
            reference=graph.reference(name).path,
        )
        for row in ASKED
        for name in row.protocols
    ]


if ASKED:

    COMPARED_SCORES = graph.scores_of(ASKED)
    COMPARED_FEATURES = list(
        dict.fromkeys(
            graph.features(bench.extractor_of(name), row).path for row in ASKED for name in row.protocols
        )
    )
    COMPARISON = table_spec("table2", sets=compared_sets(), scores=COMPARED_SCORES)

    rule comparison:
        input:
            scores=paths(COMPARED_SCORES),
            provenance=records(*COMPARED_SCORES),
            features=COMPARED_FEATURES,
        output:
            table="results/compared/{comparison}/table.csv",
            provenance="results/compared/{comparison}/table.csv.json",
        log:
            "results/compared/{comparison}/tabulate.log",
        params:
            spec=text_of(COMPARISON),
        localrule: True
        shell:
            "log={log:q}; exec {sys.executable:q} -m diffbench.stages.tabulate --spec {params.spec:q}"
            " --scores {input.scores:q} --out {output.table:q}"
            ' --run-record "${{log%.log}}.run.json" 2> "$log"'


if FIDS:

    rule comparison_figure:
        input:
            table="results/compared/{comparison}/table.csv",
        output:
            figure="results/compared/{comparison}/fid_vs_nfe.png",
            provenance="results/compared/{comparison}/fid_vs_nfe.png.json",
        log:
            "results/compared/{comparison}/plot.log",
        params:
            spec=lambda w: text_of(figure_spec("fid_vs_nfe", table=Artifact("", spec_digest(COMPARISON)))),
        localrule: True
        shell:
            "log={log:q}; exec {sys.executable:q} -m diffbench.stages.plot --spec {params.spec:q} --table {input.table:q}"
            ' --out {output.figure:q} --run-record "${{log%.log}}.run.json" 2> "$log"'
