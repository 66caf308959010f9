"""The tables, the numbers for `dvc metrics show`, and the figures that are drawn from tables."""


# Models: the size and cost of each. The job reads records of weights and samples, not these themselves.
rule table1:
    input:
        scores=summary.table1.files("scores"),
        weights=summary.table1.paths_of_records("weights"),
        samples=summary.table1.paths_of_records("samples"),
        provenance=summary.table1.records("scores"),
    output:
        table=tables_in_report(summary.table1),
        provenance=summary.table1.made_records,
    log:
        paths.log("tabulate", "table1"),
    params:
        spec=summary.table1.params,
    localrule: True
    shell:
        call(
            "tabulate",
            {
                "--scores": "input.scores",
                "--weights": "input.weights",
                "--samples": "input.samples",
                "--out": "output.table",
            },
        )


rule rate_distortion_table:
    input:
        terms=summary.rate_distortion_table.files("terms"),
        provenance=summary.rate_distortion_table.records("terms"),
    output:
        table=tables_in_report(summary.rate_distortion_table),
        provenance=summary.rate_distortion_table.made_records,
    log:
        paths.log("tabulate", "rate_distortion"),
    params:
        spec=summary.rate_distortion_table.params,
    localrule: True
    shell:
        call("tabulate", {"--terms": "input.terms", "--out": "output.table"})


# All other tables and figures are inputs, so that they are made together with this one. `output.table` is the table in
# all formats and, after it, its numbers for `dvc metrics show`.
rule table2:
    input:
        scores=summary.table2.files("scores"),
        provenance=summary.table2.records("scores"),
        beside=summary.table2.files("beside_it"),
    output:
        table=tables_in_report(summary.table2, paths.METRICS),
        figures=figures_in_report(summary.figures_of_table2),
        provenance=[*summary.table2.made_records, *summary.figures_of_table2.made_records],
    log:
        table=paths.log("tabulate", "table2"),
        figures=paths.log("plot", "table2"),
    params:
        spec=summary.table2.params,
        figures=summary.figures_of_table2.params,
    localrule: True
    shell:
        chained(
            call(
                "tabulate",
                {
                    "--scores": "input.scores",
                    "--out": "output.table",
                    "--logs": "LOGS",
                    "--cost": "COST",
                },
                log="log.table",
            ),
            call("plot", {"--out": "output.figures"}, log="log.figures", spec="params.figures"),
        )


# The effect of each choice in a model. Only a run that names this table makes it, since it is for grids
# (digits_grid.yaml).
rule table3:
    input:
        scores=summary.table3.files("scores"),
        provenance=summary.table3.records("scores"),
    output:
        table=tables_in_report(summary.table3),
        provenance=summary.table3.made_records,
    log:
        paths.log("tabulate", "table3"),
    params:
        spec=summary.table3.params,
    localrule: True
    shell:
        call("tabulate", {"--scores": "input.scores", "--out": "output.table"})


# The effect of guidance at each scale. The rule exists only if a model is guided.
if summary.guided:

    rule table4:
        input:
            scores=summary.table4.files("scores"),
            provenance=summary.table4.records("scores"),
        output:
            table=tables_in_report(summary.table4),
            figures=figures_in_report(summary.figures_of_table4),
            provenance=[*summary.table4.made_records, *summary.figures_of_table4.made_records],
        log:
            table=paths.log("tabulate", "table4"),
            figures=paths.log("plot", "table4"),
        params:
            spec=summary.table4.params,
            figures=summary.figures_of_table4.params,
        localrule: True
        shell:
            chained(
                call("tabulate", {"--scores": "input.scores", "--out": "output.table"}, log="log.table"),
                call("plot", {"--out": "output.figures"}, log="log.figures", spec="params.figures"),
            )


# The results of upsampling, of real images and of other models' samples. The rule exists only if there is an upsampler.
if summary.upsampling:

    rule table5:
        input:
            scores=summary.table5.files("scores"),
            provenance=summary.table5.records("scores"),
            beside=summary.table5.files("beside_it"),
        output:
            table=tables_in_report(summary.table5),
            provenance=summary.table5.made_records,
        log:
            paths.log("tabulate", "table5"),
        params:
            spec=summary.table5.params,
        localrule: True
        shell:
            call("tabulate", {"--scores": "input.scores", "--out": "output.table"})


# Differences to a baseline sampler and a baseline model. The rule exists only if there are two sets to compare.
if summary.differences:

    rule differences:
        input:
            scores=summary.differences.files("scores"),
            provenance=summary.differences.records("scores"),
            features=files_of(summary.features_of_differences),
        output:
            table=marked(summary.differences.path, "Tables", "differences", table="differences", format="CSV"),
            figures=figures_in_report(summary.figures_of_differences),
            provenance=[summary.differences.record, *summary.figures_of_differences.made_records],
        log:
            table=paths.log("tabulate", "differences"),
            figures=paths.log("plot", "differences"),
        params:
            spec=summary.differences.params,
            figures=summary.figures_of_differences.params,
        localrule: True
        shell:
            chained(
                call(DIFFERENCES, {"--scores": "input.scores", "--out": "output.table"}, log="log.table"),
                call("plot", {"--out": "output.figures"}, log="log.figures", spec="params.figures"),
            )


# Which claims of papers hold. The scores were made from `evidence`, which some claims read.
rule claims:
    input:
        scores=summary.claims.files("scores"),
        traces=summary.claims.files("traces"),
        provenance=summary.claims.records("scores", "traces"),
        evidence=files_of(summary.behind_claims),
    output:
        table=marked(summary.claims.path, "Tables", "claims", table="claims", format="CSV"),
        provenance=summary.claims.record,
    log:
        paths.log("tabulate", "claims"),
    params:
        spec=summary.claims.params,
    localrule: True
    shell:
        call(
            CLAIMS,
            {"--scores": "input.scores", "--out": "output.table"},
            optional={"--traces": "input.traces"},
        )


# Scores beside published numbers. The rule exists only if papers published numbers on the data set.
if summary.published:

    rule published:
        input:
            scores=summary.published.files("scores"),
            provenance=summary.published.records("scores"),
            weights=summary.published.paths_of_records("weights"),
            samples=summary.published.paths_of_records("samples"),
            data=summary.published.paths_of_records("data"),
            images=summary.published.files("images"),
        output:
            table=marked(summary.published.path, "Tables", "published", table="published", format="CSV"),
            figures=figures_in_report(summary.figures_of_published),
            provenance=[summary.published.record, *summary.figures_of_published.made_records],
        log:
            table=paths.log("tabulate", "published"),
            figures=paths.log("plot", "published"),
        params:
            spec=summary.published.params,
            figures=summary.figures_of_published.params,
        localrule: True
        shell:
            chained(
                call(PUBLISHED, {"--out": "output.table"}, log="log.table"),
                call("plot", {"--out": "output.figures"}, log="log.figures", spec="params.figures"),
            )
