"""The table and the figure of `diffbench compare-samplers`, which adds runs that are in no other table."""

if summary.compared:

    rule comparison:
        input:
            scores=summary.comparison.files("scores"),
            provenance=summary.comparison.records("scores"),
            features=files_of(summary.compared_features),
        output:
            table=summary.comparison.path,
            provenance=summary.comparison.record,
        log:
            paths.comparison("{comparison}", "tabulate.log"),
        params:
            spec=summary.comparison.params,
        localrule: True
        shell:
            call("tabulate", {"--scores": "input.scores", "--out": "output.table"})


if bench.compares_fid:

    rule comparison_figure:
        input:
            table=summary.comparison.path,
        output:
            figures=summary.comparison_figures.made,
            provenance=summary.comparison_figures.made_records,
        log:
            paths.comparison("{comparison}", "plot.log"),
        params:
            spec=lambda w: summary.comparison_figures.params.replace("{comparison}", w.comparison),
        localrule: True
        shell:
            call("plot", {"--out": "output.figures"})
