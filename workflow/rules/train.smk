"""Models and classifiers of noisy images, one for each training seed."""


rule train:
    input:
        data=lambda w: graph.data("train", bench.models[w.model].size).path,
        provenance=lambda w: graph.data("train", bench.models[w.model].size).record,
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
        spec=lambda w: text_of(graph.model(w.model, int(w.train_seed)).spec),
    threads: bench.execution.threads
    priority: 1  # the longest jobs first
    resources:
        gpu=GPU,
    shell:
        "log={log:q}; path={DATA:q}; exec {sys.executable:q} -m diffbench.stages.train --spec {params.spec:q}"
        ' --data {input.data:q} ${{path:+--pictures "$path"}} --out {output.weights:q}'
        " --log-csv {output.log_csv:q} --device {bench.execution.device}"
        " --cache .cache --checkpoint-every {bench.execution.checkpoint_every}"
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'


rule train_classifier:
    input:
        data=lambda w: graph.data("train", bench.classifiers[w.classifier].size).path,
        # For the log alone. Both splits come from one job, so that what changes one trains the classifier again anyway.
        held_out=lambda w: graph.data("test", bench.classifiers[w.classifier].size).path,
        provenance=lambda w: records(
            *(graph.data(split, bench.classifiers[w.classifier].size) for split in ("train", "test"))
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
        spec=lambda w: text_of(graph.classifier(w.classifier, int(w.train_seed)).spec),
    threads: bench.execution.threads
    priority: 1
    resources:
        gpu=GPU,
    shell:
        "log={log:q}; path={DATA:q}; exec {sys.executable:q} -m diffbench.stages.train --spec {params.spec:q}"
        ' --data {input.data:q} --held-out {input.held_out:q} ${{path:+--pictures "$path"}} --out {output.weights:q}'
        " --log-csv {output.log_csv:q} --device {bench.execution.device}"
        " --cache .cache --checkpoint-every {bench.execution.checkpoint_every}"
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'
