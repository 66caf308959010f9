"""The tables, numbers for `dvc metrics show`, and the figures that are drawn from tables."""


def table_spec(name, figure=None, options={}, rows=(), sets=(), **sources):
    """Return what a table, and the figure that is drawn from it, depend on.

    options: the table's own. rows, sets: as TableJob has them. sources: the artifacts that the table is made from.
    """
    drawn = None if figure is None else FigurePart(figure)
    job = TableJob(
        benchmark=bench.name, table=TablePart(name, options), figure=drawn, rows=tuple(rows), sets=tuple(sets)
    )
    return graph.made_from(job, **sources)


GUIDED = [row for row in ROWS if bench.variant(row.model).guidance is not None]
BOUNDED = bench.bounded_models()
TEST_TERMS = [graph.terms(model, seed, "test") for model, seed in BOUNDED]
RATE_DISTORTION = table_spec(
    "rate_distortion",
    rows=[ModelRow(bench.name, model, seed) for model, seed in BOUNDED],
    terms=TEST_TERMS,
)


rule rate_distortion_table:
    input:
        terms=paths(TEST_TERMS),
        provenance=records(*TEST_TERMS),
    output:
        table="results/rate_distortion.csv",
        provenance=provenance_of("results/rate_distortion.csv"),
    log:
        "results/logs/tabulate/rate_distortion.log",
    params:
        spec=text_of(RATE_DISTORTION),
    localrule: True
    shell:
        "log={log:q}; exec {sys.executable:q} -m diffbench.stages.tabulate --spec {params.spec:q}"
        " --terms {input.terms:q} --out {output.table:q}"
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'


UPSAMPLED = graph.scores_of(UPSAMPLING)
TABLE4 = table_spec("table4", "guidance_tradeoff", scores=graph.scores_of(GUIDED)) if GUIDED else None
TABLE5_FIGURE = Artifact("results/figures/upsampling.png", spec_digest(UPSAMPLING_FIGURE))
TABLE5 = table_spec("table5", scores=UPSAMPLED, beside_it=[TABLE5_FIGURE]) if UPSAMPLING else None

# The figures and the other tables that who asks for this one gets too. It is not computed from them, but it names them:
# one that is gone or out of date makes this rule run, so that no table stands beside another of other settings.
BESIDE = [
    *(
        Artifact(f"results/figures/samples_{model}.png", spec_digest(samples_figure(model)[2]))
        for model in dict.fromkeys(map(entry_of, ROWS))
    ),
    *(
        Artifact(f"results/figures/progressive_{model}.png", spec_digest(progressive_spec(model)))
        for model in FIRST_TERMS
    ),
    *(
        [
            Artifact("results/figures/rate_distortion.png", spec_digest(RATE_DISTORTION_FIGURE)),
            Artifact("results/rate_distortion.csv", spec_digest(RATE_DISTORTION)),
        ]
        if FIRST_TERMS
        else []
    ),
    *([Artifact("results/table4.csv", spec_digest(TABLE4))] if TABLE4 else []),
    *([Artifact("results/table5.csv", spec_digest(TABLE5))] if TABLE5 else []),
]
TABLE2_SCORES = [*graph.scores_of(ROWS), *graph.bounds()]
TABLE2 = table_spec("table2", "fid_vs_steps", scores=TABLE2_SCORES, beside_it=BESIDE)


rule table2:
    input:
        scores=paths(TABLE2_SCORES),
        provenance=records(*TABLE2_SCORES),
        beside=paths(BESIDE),
    output:
        table="results/table2.csv",
        metrics="results/metrics.json",
        figure="results/figures/fid_vs_steps.png",
        provenance=provenance_of("results/table2.csv", "results/figures/fid_vs_steps.png"),
    log:
        "results/logs/tabulate/table2.log",
    params:
        spec=text_of(TABLE2),
    localrule: True
    shell:
        "log={log:q}; {sys.executable:q} -m diffbench.stages.tabulate --spec {params.spec:q} --scores {input.scores:q}"
        " --out {output.table:q} {output.metrics:q} --logs results/logs --cost results/cost.csv"
        ' --run-record "${{log%.log}}.run.json" 2> "$log" && exec {sys.executable:q} -m diffbench.stages.plot'
        " --spec {params.spec:q} --table {output.table:q} --out {output.figure:q}"
        ' --run-record results/logs/plot/fid_vs_steps.run.json 2>> "$log"'


TABLE3_SCORES = [*graph.scores_of([row for row in ROWS if row not in GUIDED]), *graph.bounds()]
TABLE3 = table_spec("table3", options={"models": bench.ablations()}, scores=TABLE3_SCORES)


# What each choice of a model is worth; asked for by its own name, since it is about grids (digits_grid.yaml).
rule table3:
    input:
        scores=paths(TABLE3_SCORES),
        provenance=records(*TABLE3_SCORES),
    output:
        table="results/table3.csv",
        provenance=provenance_of("results/table3.csv"),
    log:
        "results/logs/tabulate/table3.log",
    params:
        spec=text_of(TABLE3),
    localrule: True
    shell:
        "log={log:q}; exec {sys.executable:q} -m diffbench.stages.tabulate --spec {params.spec:q}"
        " --scores {input.scores:q} --out {output.table:q}"
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'


# What guidance buys, over its scales; only where a model is guided.
if GUIDED:

    rule table4:
        input:
            scores=paths(graph.scores_of(GUIDED)),
            provenance=records(*graph.scores_of(GUIDED)),
        output:
            table="results/table4.csv",
            figure="results/figures/guidance_tradeoff.png",
            provenance=provenance_of("results/table4.csv", "results/figures/guidance_tradeoff.png"),
        log:
            "results/logs/tabulate/table4.log",
        params:
            spec=text_of(TABLE4),
        localrule: True
        shell:
            "log={log:q}; {sys.executable:q} -m diffbench.stages.tabulate --spec {params.spec:q}"
            " --scores {input.scores:q} --out {output.table:q}"
            ' --run-record "${{log%.log}}.run.json" 2> "$log" && exec {sys.executable:q}'
            " -m diffbench.stages.plot --spec {params.spec:q} --table {output.table:q} --out {output.figure:q}"
            ' --run-record results/logs/plot/guidance_tradeoff.run.json 2>> "$log"'


# What upsampling buys, alone and on top of other models' samples; only where a model is an upsampler.
if UPSAMPLING:

    rule table5:
        input:
            scores=paths(UPSAMPLED),
            provenance=records(*UPSAMPLED),
            beside=TABLE5_FIGURE.path,
        output:
            table="results/table5.csv",
            provenance="results/table5.csv.json",
        log:
            "results/logs/tabulate/table5.log",
        params:
            spec=text_of(TABLE5),
        localrule: True
        shell:
            "log={log:q}; exec {sys.executable:q} -m diffbench.stages.tabulate --spec {params.spec:q}"
            " --scores {input.scores:q} --out {output.table:q}"
            ' --run-record "${{log%.log}}.run.json" 2> "$log"'
