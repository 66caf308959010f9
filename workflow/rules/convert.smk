"""Weights of one's own, trained elsewhere: an artifact beside those that were trained here."""

CONVERTED = bench.converted_models()

if CONVERTED:

    ruleorder: convert > train

    rule convert:
        input:
            weights=lambda w: graph.foreign.place(Path(bench.models[w.model].checkpoint.file)),
            data=lambda w: graph.data("train", bench.models[w.model].size).path,
            provenance=lambda w: graph.data("train", bench.models[w.model].size).record,
        output:
            weights="results/models/{model}/train{train_seed}/weights.safetensors",
            provenance="results/models/{model}/train{train_seed}/weights.safetensors.json",
        log:
            "results/logs/convert/{model}/train{train_seed}.log",
        params:
            spec=lambda w: text_of(graph.model(w.model, int(w.train_seed)).spec),
        wildcard_constraints:
            model=one_of(CONVERTED),
        localrule: True
        shell:
            "log={log:q}; exec {sys.executable:q} -m diffbench.stages.convert --spec {params.spec:q}"
            " --checkpoint {input.weights:q} --data {input.data:q} --out {output.weights:q}"
            ' --run-record "${{log%.log}}.run.json" 2> "$log"'
