"""The weights of models and of classifiers of noisy images, for each training seed."""

TRAINING = {
    "--data": "input.data",
    "--out": "output.weights",
    "--log-csv": "output.log_csv",
    "--device": "DEVICE",
    "--cache": "CACHE",
    "--checkpoint-every": "CHECKPOINT_EVERY",
}


rule train:
    input:
        data=lambda w: graph.data("train", bench.models[w.model].size).path,
        provenance=lambda w: graph.data("train", bench.models[w.model].size).record,
    output:
        weights=WEIGHTS,
        log_csv=paths.training_log(WEIGHTS),
        provenance=[paths.record(WEIGHTS), paths.record(paths.training_log(WEIGHTS))],
    log:
        paths.log("train", "{model}/train{train_seed}"),
    params:
        spec=lambda w: model_of(w).params,
    threads: THREADS
    priority: 1  # The longest jobs start first.
    resources:
        gpu=GPU,
    shell:
        call("train", TRAINING, optional={"--pictures": "DATA"})


rule train_classifier:
    input:
        data=lambda w: graph.data("train", bench.classifiers[w.classifier].size).path,
        # These images are only for the log. They cause no extra training, since one job makes both splits.
        held_out=lambda w: graph.data("test", bench.classifiers[w.classifier].size).path,
        provenance=lambda w: records_of(
            graph.data(split, bench.classifiers[w.classifier].size) for split in ("train", "test")
        ),
    output:
        weights=CLASSIFIER,
        log_csv=paths.training_log(CLASSIFIER),
        provenance=[paths.record(CLASSIFIER), paths.record(paths.training_log(CLASSIFIER))],
    log:
        paths.log("train_classifier", "{classifier}/train{train_seed}"),
    params:
        spec=lambda w: graph.classifier(w.classifier, int(w.train_seed)).params,
    threads: THREADS
    priority: 1
    resources:
        gpu=GPU,
    shell:
        call("train", TRAINING | {"--held-out": "input.held_out"}, optional={"--pictures": "DATA"})
