"""The data set, prepared once."""


# A relative path in a configuration is seen from the project's folder, not from the benchmark's.
rule prepare:
    output:
        train="results/data/train.npz",
        test="results/data/test.npz",
        provenance=provenance_of("results/data/train.npz", "results/data/test.npz"),
    log:
        "results/logs/prepare/prepare.log",
    params:
        spec=identity(bench.prepare_job(), "prepare"),
    localrule: True
    shell:
        "home=$PWD; cd {ROOT:q}; exec {sys.executable} -m diffbench.stages.prepare --spec {params.spec:q}"
        ' --out-train "$home"/{output.train:q} --out-test "$home"/{output.test:q}'
        ' --run-record "$home"/results/logs/prepare/prepare.run.json 2> "$home"/{log:q}'
