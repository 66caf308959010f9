"""Weights of one's own, trained elsewhere: an artifact beside those that were trained here."""

CONVERTED = bench.converted_models()

if CONVERTED:

    ruleorder: convert > train

    rule convert:
        input:
            weights=lambda w: bench.models[w.model].checkpoint.file,
            data=lambda w: data_of("train", bench.models[w.model].size),
            provenance=lambda w: provenance_of(data_of("train", bench.models[w.model].size)),
        output:
            weights="results/models/{model}/train{train_seed}/weights.safetensors",
            provenance="results/models/{model}/train{train_seed}/weights.safetensors.json",
        log:
            "results/logs/convert/{model}/train{train_seed}.log",
        params:
            spec=lambda w: identity(bench.convert_job(w.model), "convert"),
        wildcard_constraints:
            model=one_of(CONVERTED),
        localrule: True
        shell:
            "log={log:q}; exec {sys.executable} -m diffbench.stages.convert --spec {params.spec:q}"
            " --checkpoint {input.weights:q} --data {input.data:q} --out {output.weights:q}"
            ' --run-record "${{log%.log}}.run.json" 2> "$log"'
