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
        **asked(
            lambda w: jobs.trace_job(bench, w.model, bench.traced_models()[w.model][1]),
            lambda w: 1,
            size=lambda w: size_of_model(w.model),
        ),
    shell:
        call("trace", {"--weights": "input.weights", "--out": "output.traces", "--device": "DEVICE"})
