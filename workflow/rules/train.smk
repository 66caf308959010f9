"""The weights of models and of classifiers of noisy images, for each training seed."""

TRAINING = {
    "--data": "input.data",
    "--out": "output.weights",
    "--log-csv": "output.log_csv",
    "--device": "DEVICE",
    "--cache": "CACHE",
    "--checkpoint-every": "CHECKPOINT_EVERY",
}

OPTIONAL = {
    "--pictures": "DATA",
    "--micro-batch": "MICRO_BATCH",
    "--sharded": "SHARDED",
    "--activation-checkpointing": "RECOMPUTE",
}
HELD_OUT = {"--held-out": "input.held_out"}
MEASURED = HELD_OUT | {"--validation": "output.validation"} if bench.validation else {}
WITH_WEIGHTS = [paths.training_log(WEIGHTS), *([paths.validation(WEIGHTS)] if bench.validation else [])]


rule train:
    input:
        data=lambda w: graph.data("train", bench.models[w.model].size).path,
        # These images are only for the validation loss, by which nothing is decided.
        held_out=lambda w: graph.data("test", bench.models[w.model].size).path if bench.validation else [],
        provenance=lambda w: records_of(
            graph.data(split, bench.models[w.model].size)
            for split in ("train", *(["test"] if bench.validation else []))
        ),
    output:
        weights=WEIGHTS,
        log_csv=WITH_WEIGHTS[0],
        validation=WITH_WEIGHTS[1:],
        provenance=[paths.record(path) for path in (WEIGHTS, *WITH_WEIGHTS)],
    log:
        paths.log("train", "{model}/train{train_seed}"),
    params:
        spec=lambda w: model_of(w).params,
    threads: THREADS * PROCESSES
    priority: 1  # The longest jobs start first.
    resources:
        **asked(
            lambda w: jobs.train_job(bench, w.model, int(w.train_seed)),
            lambda w: PROCESSES,
            size=lambda w: size_of_model(w.model),
        ),
    shell:
        call("train", TRAINING | MEASURED, optional=OPTIONAL, processes="resources.processes")


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
    threads: THREADS * PROCESSES
    priority: 1
    resources:
        **asked(
            lambda w: jobs.train_classifier_job(bench, w.classifier, int(w.train_seed)),
            lambda w: PROCESSES,
            size=lambda w: bench.classifiers[w.classifier].size,
        ),
    shell:
        call("train", TRAINING | HELD_OUT, optional=OPTIONAL, processes="resources.processes")
