"""Figures of samples, bounds and trainings, and a target for all figures. Those of tables are in tabulate.smk."""

# One job draws the figures of a group, because starting a job takes longer than drawing a figure.
for group in summary.drawn.groups:

    rule:
        name:
            f"figures_{group.name}"
        input:
            files=group.files,
            provenance=group.records,
        output:
            figures=figures_in_report(group),
            provenance=group.made_records,
        log:
            paths.log("plot", group.name),
        params:
            spec=group.params,
        localrule: True
        shell:
            call("plot", {"--out": "output.figures"})


rule figures:
    input:
        [path for group in summary.groups() for path in group.made],
