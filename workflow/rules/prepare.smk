"""The data set, prepared once."""


# What the data are read from is no input, since a clone that pulled the prepared files need not have it: the hash of its
# content is part of the spec.
rule prepare:
    output:
        train="results/data/train.npz",
        test="results/data/test.npz",
        provenance=provenance_of("results/data/train.npz", "results/data/test.npz"),
    log:
        "results/logs/prepare/prepare.log",
    params:
        spec=text_of(graph.prepare_spec),
    localrule: True
    shell:
        "path={DATA:q}; exec {sys.executable:q} -m diffbench.stages.prepare --spec {params.spec:q}"
        ' ${{path:+--path "$path"}} --out-train {output.train:q} --out-test {output.test:q}'
        " --run-record results/logs/prepare/prepare.run.json 2> {log:q}"
