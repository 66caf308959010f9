"""Features of sample sets, and of the real images with which they are compared."""


def processes_of_extraction(w):
    """Return how many processes extract the features of the sample set that the wildcards name."""
    return extraction_processes(bench, w.extractor, row_of(w).num_images)


def processes_of_real(w):
    """Return how many processes extract the features of real images."""
    return extraction_processes(bench, w.extractor, None)


rule extract:
    input:
        images=SAMPLES,
        provenance=paths.record(SAMPLES),
        weights=lambda w: files_of(graph.extractor(w.extractor)),
    output:
        features=FEATURES,
        provenance=paths.record(FEATURES),
    log:
        paths.log("extract", f"{{extractor}}/{PLACE}/{{steps}}", "{tree}"),
    params:
        spec=lambda w: graph.features(w.extractor, row_of(w)).params,
    threads: lambda w: THREADS * processes_of_extraction(w)
    resources:
        **asked(
            lambda w: jobs.extract_job(bench, w.extractor),
            processes_of_extraction,
            num_images=lambda w: row_of(w).num_images,
        ),
    shell:
        call(
            "extract",
            {"--images": "input.images", "--out": "output.features", "--device": "DEVICE"},
            optional={"--weights": "input.weights"},
            processes="resources.processes",
        )


# The real images are a split of the data set, or a protocol's own reference.
rule extract_real:
    input:
        images=lambda w: files_of(graph.real_images(w.split)),
        provenance=lambda w: records_of(graph.real_images(w.split)),
        weights=lambda w: files_of(graph.extractor(w.extractor)),
    output:
        features=REAL_FEATURES,
        provenance=paths.record(REAL_FEATURES),
    log:
        paths.log("extract", "{extractor}/real/{split}"),
    params:
        spec=lambda w: graph.real_features(w.extractor, w.split).params,
    wildcard_constraints:
        split=f"train|test|{OWN_REFERENCE}[^/]+",
    threads: lambda w: THREADS * processes_of_real(w)
    priority: 2  # Before the trainings: weights or a reference that cannot be used are found in the first minute.
    resources:
        **asked(lambda w: jobs.extract_job(bench, w.extractor), processes_of_real),
    shell:
        call(
            "extract",
            {"--images": "input.images", "--out": "output.features", "--device": "DEVICE"},
            optional={"--weights": "input.weights"},
            processes="resources.processes",
        )
