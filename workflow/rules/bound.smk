"""The terms of every model's variational bound, on unseen images and on training images."""


rule bound:
    input:
        weights=lambda w: model_of(w).path,
        data=paths.data("{split}"),
        provenance=lambda w: records_of([model_of(w), graph.data(w.split)]),
    output:
        terms=TERMS,
        provenance=paths.record(TERMS),
    log:
        paths.log("bound", "{model}/train{train_seed}/{split}"),
    params:
        spec=lambda w: graph.terms(w.model, int(w.train_seed), w.split).params,
    threads: THREADS * bound_processes(bench)
    resources:
        **asked(
            lambda w: jobs.bound_job(bench, w.model, w.split),
            lambda w: bound_processes(bench),
            size=lambda w: size_of_model(w.model),
        ),
    shell:
        call(
            "bound",
            {
                "--weights": "input.weights",
                "--data": "input.data",
                "--out": "output.terms",
                "--device": "DEVICE",
            },
            processes="resources.processes",
        )
