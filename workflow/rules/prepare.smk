"""The data set, prepared once."""


# One job makes both splits, so its spec is that of neither artifact: it names no split.
# What the data are read from is no input, since a clone that pulled the prepared files need not have it: the hash of its
# content is part of the spec.
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
