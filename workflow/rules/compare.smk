"""Samplers compared: `diffbench compare --candidate X --baseline Y` asks for this, with runs that stand in no table."""

FIDS = [row for row in ASKED if any("fid" in bench.protocols[name][1].metrics for name in row.protocols)]


def features_of(row, protocol):
    """Return the paths of a row's features and of those that it is scored against."""
    own = f"{tree_of(row)}/features/{bench.extractor_of(protocol)}/{place_of(row)}/{row.steps}.npz"
    return own, real_features(protocol, reference_split(protocol))


def compared_sets():
    """Return what a comparison reads: every set that it asks for, and where its features and their reference are."""
    keys = ("model", "sampler", "steps", "train_seed", "sample_seed")
    return [
        {key: getattr(row, key) for key in keys}
        | dict(zip(("protocol", "features", "reference"), (name, *features_of(row, name))))
        for row in ASKED
        for name in row.protocols
    ]


if ASKED:

    rule comparison:
        input:
            scores=scores_of(ASKED),
            features=list(dict.fromkeys(part["features"] for part in compared_sets())),
        output:
            table="results/compared/{comparison}/table.csv",
            provenance="results/compared/{comparison}/table.csv.json",
        log:
            "results/compared/{comparison}/tabulate.log",
        params:
            spec=identity(
                Job(
                    {"benchmark": bench.name, "table": {"name": "table2"}, "sets": compared_sets()},
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
