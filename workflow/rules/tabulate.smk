"""The tables, numbers for `dvc metrics show`, and the figures that are drawn from tables."""


def table_job(table, figure):
    """Return what a table and its figure depend on besides the scores."""
    spec = {
        "benchmark": bench.name,
        "table": {"name": table},
        "figure": {"name": figure},
    }
    return Job(spec, (module_of("tables", table), module_of("figures", figure)))


def scores_of(rows):
    """Return the scores of sample sets, and of real images under their protocols."""
    return [
        *dict.fromkeys(f"results/scores/{protocol}/real.json" for row in rows for protocol in row.protocols),
        *(
            f"results/scores/{protocol}/{place_of(row)}/{row.steps}.json"
            for row in rows
            for protocol in row.protocols
        ),
    ]


def bounds_of(models):
    """Return the scores of models themselves, for every training seed."""
    return [f"results/scores/bound/{model}/train{seed}.json" for model, seed in models]


GUIDED = [row for row in ROWS if bench.variant(row.model).guidance is not None]


# The other figures are inputs so that who asks for the table gets them too; it is not computed from them.
rule table2:
    input:
        scores=[
            *scores_of(ROWS),
            *bounds_of(bench.bounded_models()),
        ],
        figures=[
            *(f"results/figures/samples_{model}.png" for model in dict.fromkeys(map(entry_of, ROWS))),
            "results/figures/rate_distortion.png",
        ],
    output:
        table="results/table2.csv",
        metrics="results/metrics.json",
        figure="results/figures/fid_vs_steps.png",
        provenance=provenance_of("results/table2.csv", "results/figures/fid_vs_steps.png"),
    log:
        "results/logs/tabulate/table2.log",
    params:
        spec=identity(table_job("table2", "fid_vs_steps"), "tabulate", "plot"),
    localrule: True
    shell:
        "log={log:q}; {sys.executable} -m diffbench.stages.tabulate --spec {params.spec:q} --scores {input.scores:q}"
        " --out {output.table:q} {output.metrics:q} --logs results/logs --cost results/cost.csv"
        ' --run-record "${{log%.log}}.run.json" 2> "$log" && exec {sys.executable} -m diffbench.stages.plot'
        " --spec {params.spec:q} --table {output.table:q} --out {output.figure:q}"
        ' --run-record results/logs/plot/fid_vs_steps.run.json 2>> "$log"'


# What each choice of a model is worth; asked for by its own name, since it is about grids (digits_grid.yaml).
rule table3:
    input:
        scores=[
            *scores_of([row for row in ROWS if row not in GUIDED]),
            *bounds_of(bench.bounded_models()),
        ],
    output:
        table="results/table3.csv",
        provenance=provenance_of("results/table3.csv"),
    log:
        "results/logs/tabulate/table3.log",
    params:
        spec=identity(
            Job(
                {"benchmark": bench.name, "table": {"name": "table3", "models": bench.ablations()}},
                (module_of("tables", "table3"),),
            ),
            "tabulate",
        ),
    localrule: True
    shell:
        "log={log:q}; exec {sys.executable} -m diffbench.stages.tabulate --spec {params.spec:q} --scores {input.scores:q}"
        ' --out {output.table:q} --run-record "${{log%.log}}.run.json" 2> "$log"'


# What guidance buys, over its scales; only where a model is guided.
if GUIDED:

    rule table4:
        input:
            scores=scores_of(GUIDED),
        output:
            table="results/table4.csv",
            figure="results/figures/guidance_tradeoff.png",
            provenance=provenance_of("results/table4.csv", "results/figures/guidance_tradeoff.png"),
        log:
            "results/logs/tabulate/table4.log",
        params:
            spec=identity(table_job("table4", "guidance_tradeoff"), "tabulate", "plot"),
        localrule: True
        shell:
            "log={log:q}; {sys.executable} -m diffbench.stages.tabulate --spec {params.spec:q} --scores {input.scores:q}"
            ' --out {output.table:q} --run-record "${{log%.log}}.run.json" 2> "$log" && exec {sys.executable}'
            " -m diffbench.stages.plot --spec {params.spec:q} --table {output.table:q} --out {output.figure:q}"
            ' --run-record results/logs/plot/guidance_tradeoff.run.json 2>> "$log"'
