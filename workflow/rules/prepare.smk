"""The prepared data set."""


# One job makes both splits, so its spec names no split and is not that of an artifact.
# The source of the data is not an input, because a clone that pulled the prepared files does not need it. The hash of
# its content is part of the spec.
rule prepare:
    output:
        train=paths.data("train"),
        test=paths.data("test"),
        provenance=[paths.record(paths.data("train")), paths.record(paths.data("test"))],
    log:
        paths.log("prepare", "prepare"),
    params:
        spec=spec_text(graph.prepare_spec),
    localrule: True
    shell:
        call(
            "prepare",
            {"--out-train": "output.train", "--out-test": "output.test"},
            optional={"--path": "DATA"},
        )
