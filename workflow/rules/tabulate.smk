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
    """Return the scores of sample sets, and of real images under those of their protocols that the table has."""
    held = {protocol for row in ROWS for protocol in row.protocols}
    return [
        *dict.fromkeys(
            f"results/scores/{protocol}/real.json"
            for row in rows
            for protocol in row.protocols
            if protocol in held
        ),
        *(
            f"{tree_of(row)}/scores/{protocol}/{place_of(row)}/{row.steps}.json"
            for row in rows
            for protocol in row.protocols
        ),
        *(
            f"{tree_of(row)}/scores/pairs/{place_of(row)}/{row.steps}.psnr.json"
            for row in rows
            if bench.upsamples_real(row)
        ),
    ]


def bounds_of(models):
    """Return the scores of models themselves, for every training seed."""
    return [f"results/scores/bound/{model}/train{seed}.json" for model, seed in models]


GUIDED = [row for row in ROWS if bench.variant(row.model).guidance is not None]


rule rate_distortion_table:
    input:
        terms=[f"results/terms/{model}/train{seed}/test.npz" for model, seed in bench.bounded_models()],
    output:
        table="results/rate_distortion.csv",
        provenance=provenance_of("results/rate_distortion.csv"),
    log:
        "results/logs/tabulate/rate_distortion.log",
    params:
        spec=identity(
            Job(
                {
                    "table": {"name": "rate_distortion"},
                    "rows": [
                        {"benchmark": bench.name, "model": model, "train_seed": seed}
                        for model, seed in bench.bounded_models()
                    ],
                },
                (module_of("tables", "rate_distortion"),),
            ),
            "tabulate",
        ),
    localrule: True
    shell:
        "log={log:q}; exec {sys.executable} -m diffbench.stages.tabulate --spec {params.spec:q}"
        " --terms {input.terms:q} --out {output.table:q}"
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'


# The other figures and the other table are inputs so that who asks for this one gets them too; it is not computed
# from them.
rule table2:
    input:
        scores=[
            *scores_of(ROWS),
            *bounds_of(bench.bounded_models()),
        ],
        figures=[
            *(f"results/figures/samples_{model}.png" for model in dict.fromkeys(map(entry_of, ROWS))),
            *(f"results/figures/progressive_{model}.png" for model in FIRST_TERMS),
            "results/figures/rate_distortion.png",
        ],
        curves="results/rate_distortion.csv",
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


# What upsampling buys, alone and on top of other models' samples; only where a model is an upsampler.
if UPSAMPLING:

    rule table5:
        input:
            scores=scores_of(UPSAMPLING),
            figure="results/figures/upsampling.png",
        output:
            table="results/table5.csv",
            provenance="results/table5.csv.json",
        log:
            "results/logs/tabulate/table5.log",
        params:
            spec=identity(
                Job(
                    {"benchmark": bench.name, "table": {"name": "table5"}},
                    (module_of("tables", "table5"),),
                ),
                "tabulate",
            ),
        localrule: True
        shell:
            "log={log:q}; exec {sys.executable} -m diffbench.stages.tabulate --spec {params.spec:q}"
            " --scores {input.scores:q} --out {output.table:q}"
            ' --run-record "${{log%.log}}.run.json" 2> "$log"'
