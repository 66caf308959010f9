"""Samplers compared: `diffbench compare --candidate X --baseline Y` asks for this, with runs that stand in no table."""

FIDS = [row for row in ASKED if any("fid" in bench.protocols[name][1].metrics for name in row.protocols)]


if ASKED:

    rule comparison:
        input:
            scores=scores_of(ASKED),
        output:
            table="results/compared/{comparison}/table.csv",
            provenance="results/compared/{comparison}/table.csv.json",
        log:
            "results/compared/{comparison}/tabulate.log",
        params:
            spec=identity(
                Job(
                    {"benchmark": bench.name, "table": {"name": "table2"}},
                    (module_of("tables", "table2"),),
                ),
                "tabulate",
            ),
        localrule: True
        shell:
            "log={log:q}; exec {sys.executable} -m diffbench.stages.tabulate --spec {params.spec:q}"
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
            spec=identity(figure_job("fid_vs_nfe"), "plot"),
        localrule: True
        shell:
            "log={log:q}; exec {sys.executable} -m diffbench.stages.plot --spec {params.spec:q} --table {input.table:q}"
            ' --out {output.figure:q} --run-record "${{log%.log}}.run.json" 2> "$log"'
