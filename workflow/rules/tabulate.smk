"""The table, its numbers for `dvc metrics show`, and the figure that is drawn from it."""


def table_job():
    """Return what the table and its figure depend on besides the scores."""
    spec = {
        "benchmark": bench.name,
        "table": {"name": "table2"},
        "figure": {"name": "fid_vs_steps"},
    }
    return Job(spec, (module_of("tables", "table2"), module_of("figures", "fid_vs_steps")))


# The other figures are inputs so that who asks for the table gets them too; it is not computed from them.
rule table2:
    input:
        scores=[
            *dict.fromkeys(
                f"results/scores/{protocol}/real.json" for row in ROWS for protocol in row.protocols
            ),
            *(
                f"results/scores/{protocol}/{place_of(row)}/{row.steps}.json"
                for row in ROWS
                for protocol in row.protocols
            ),
            *(f"results/scores/bound/{model}/train{seed}.json" for model, seed in bench.trained_models()),
        ],
        figures=[
            *(f"results/figures/samples_{model}.png" for model in dict.fromkeys(row.model for row in ROWS)),
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
        spec=identity(table_job(), "tabulate", "plot"),
    localrule: True
    shell:
        "log={log:q}; {sys.executable} -m diffbench.stages.tabulate --spec {params.spec:q} --scores {input.scores:q}"
        " --out {output.table:q} {output.metrics:q} --logs results/logs --cost results/cost.csv"
        ' --run-record "${{log%.log}}.run.json" 2> "$log" && exec {sys.executable} -m diffbench.stages.plot'
        " --spec {params.spec:q} --table {output.table:q} --out {output.figure:q}"
        ' --run-record results/logs/plot/fid_vs_steps.run.json 2>> "$log"'
