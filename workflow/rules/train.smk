"""Models and classifiers of noisy images, one for each training seed."""


rule train:
    input:
        data=lambda w: data_of("train", bench.models[w.model].size),
        provenance=lambda w: provenance_of(data_of("train", bench.models[w.model].size)),
    output:
        weights="results/models/{model}/train{train_seed}/weights.safetensors",
        log_csv="results/models/{model}/train{train_seed}/log.csv",
        provenance=provenance_of(
            "results/models/{model}/train{train_seed}/weights.safetensors",
            "results/models/{model}/train{train_seed}/log.csv",
        ),
    log:
        "results/logs/train/{model}/train{train_seed}.log",
    params:
        spec=lambda w: identity(bench.train_job(w.model, int(w.train_seed)), "train"),
    threads: bench.execution.threads
    priority: 1  # the longest jobs first
    resources:
        gpu=GPU,
    shell:
        "exec {sys.executable} -m diffbench.stages.train --spec {params.spec:q} --data {input.data:q}"
        " --root {ROOT:q} --out {output.weights:q} --log-csv {output.log_csv:q} --device {bench.execution.device}"
        " --cache .cache --checkpoint-every {bench.execution.checkpoint_every}"
        " --run-record results/logs/train/{wildcards.model}/train{wildcards.train_seed}.run.json 2> {log:q}"


rule train_classifier:
    input:
        data=lambda w: data_of("train", bench.classifiers[w.classifier].size),
        # For the log alone. Both splits come from one job, so that what changes one trains the classifier again anyway.
        held_out=lambda w: data_of("test", bench.classifiers[w.classifier].size),
        provenance=lambda w: provenance_of(
            *(data_of(split, bench.classifiers[w.classifier].size) for split in ("train", "test"))
        ),
    output:
        weights="results/classifiers/{classifier}/train{train_seed}/weights.safetensors",
        log_csv="results/classifiers/{classifier}/train{train_seed}/log.csv",
        provenance=provenance_of(
            "results/classifiers/{classifier}/train{train_seed}/weights.safetensors",
            "results/classifiers/{classifier}/train{train_seed}/log.csv",
        ),
    log:
        "results/logs/train_classifier/{classifier}/train{train_seed}.log",
    params:
        spec=lambda w: identity(bench.train_classifier_job(w.classifier, int(w.train_seed)), "train"),
    threads: bench.execution.threads
    priority: 1
    resources:
        gpu=GPU,
    shell:
        "log={log:q}; exec {sys.executable} -m diffbench.stages.train --spec {params.spec:q} --data {input.data:q}"
        " --held-out {input.held_out:q} --root {ROOT:q} --out {output.weights:q} --log-csv {output.log_csv:q}"
        " --device {bench.execution.device}"
        " --cache .cache --checkpoint-every {bench.execution.checkpoint_every}"
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'
