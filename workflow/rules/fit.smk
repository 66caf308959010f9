"""The weights of a data set's own extractor, for protocols whose extractor is trained here."""


rule fit:
    input:
        train=paths.data("train"),
        test=paths.data("test"),
        provenance=[paths.record(paths.data("train")), paths.record(paths.data("test"))],
    output:
        weights=paths.extractor("{extractor}"),
        provenance=paths.record(paths.extractor("{extractor}")),
    log:
        paths.log("fit", "{extractor}"),
    params:
        spec=lambda w: graph.extractor(w.extractor).params,
    threads: THREADS
    resources:
        **asked(lambda w: jobs.fit_job(bench, w.extractor)),
    shell:
        call("fit", {"--data": "input.train", "--held-out": "input.test", "--out": "output.weights"})
