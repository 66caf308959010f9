"""Samples of every model on their way from noise to image, and images from noise between two draws, for figures."""


rule trace:
    input:
        weights=lambda w: model_of(w).path,
        provenance=lambda w: records_of(model_of(w)),
    output:
        traces=paths.traces("{model}", "{train_seed}"),
        provenance=paths.record(paths.traces("{model}", "{train_seed}")),
    log:
        paths.log("trace", "{model}/train{train_seed}"),
    params:
        spec=lambda w: graph.traces(w.model).params,
    threads: THREADS
    resources:
        gpu=GPU,
    shell:
        call("trace", {"--weights": "input.weights", "--out": "output.traces", "--device": "DEVICE"})
