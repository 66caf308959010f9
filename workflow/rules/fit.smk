"""A data set's own extractor, for the protocols that name one without weights."""


rule fit:
    input:
        train="results/data/train.npz",
        test="results/data/test.npz",
        provenance=provenance_of("results/data/train.npz", "results/data/test.npz"),
    output:
        weights="results/extractors/{extractor}.safetensors",
        provenance="results/extractors/{extractor}.safetensors.json",
    log:
        "results/logs/fit/{extractor}.log",
    params:
        spec=lambda w: identity(bench.fit_job(w.extractor), "fit"),
    threads: bench.execution.threads
    shell:
        "exec {sys.executable} -m diffbench.stages.fit --spec {params.spec:q} --data {input.train:q}"
        " --held-out {input.test:q} --out {output.weights:q}"
        " --run-record results/logs/fit/{wildcards.extractor}.run.json 2> {log:q}"
