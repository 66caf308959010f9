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
        spec=lambda w: text_of(graph.extractor(w.extractor).spec),
    threads: bench.execution.threads
    shell:
        "log={log:q}; exec {sys.executable:q} -m diffbench.stages.fit --spec {params.spec:q} --data {input.train:q}"
        ' --held-out {input.test:q} --out {output.weights:q} --run-record "${{log%.log}}.run.json" 2> "$log"'
