"""Weights that were trained elsewhere and have no record, written like those that are trained here."""

CONVERTED = bench.converted_models()

if CONVERTED:

    ruleorder: convert > train

    rule convert:
        input:
            weights=lambda w: graph.foreign.place(Path(bench.models[w.model].checkpoint.file)),
            data=lambda w: graph.data("train", bench.models[w.model].size).path,
            provenance=lambda w: graph.data("train", bench.models[w.model].size).record,
        output:
            weights=WEIGHTS,
            provenance=paths.record(WEIGHTS),
        log:
            paths.log("convert", "{model}/train{train_seed}"),
        params:
            spec=lambda w: model_of(w).params,
        wildcard_constraints:
            model=paths.one_of(CONVERTED),
        localrule: True
        shell:
            call(
                "convert",
                {"--checkpoint": "input.weights", "--data": "input.data", "--out": "output.weights"},
            )
