"""Sample sets, with one job for each model, pair of seeds, sampler and number of steps."""


def source(name):
    """Return a function of wildcards that gives the sample set's input of this name, or no file if it has none."""
    return lambda w: files_of(graph.sources_of(row_of(w)).get(name))


def processes_of_sampling(w):
    """Return how many processes make the sample set that the wildcards name."""
    return sampling_processes(bench, row_of(w).num_images)


rule sample:
    input:
        weights=source("weights"),
        classifier=source("classifier"),
        low_res=source("low_res"),
        terms=source("terms"),
        provenance=lambda w: records_of(graph.sources_of(row_of(w)).values()),
    output:
        samples=SAMPLES,
        provenance=paths.record(SAMPLES),
    log:
        paths.log("sample", f"{PLACE}/{{steps}}", "{tree}"),
    params:
        spec=lambda w: graph.samples(row_of(w)).params,
    threads: lambda w: THREADS * processes_of_sampling(w)
    resources:
        **asked(
            lambda w: jobs.sample_job(bench, row_of(w)),
            processes_of_sampling,
            size=lambda w: size_of_model(row_of(w).model),
        ),
    shell:
        call(
            "sample",
            {
                "--weights": "input.weights",
                "--out": "output.samples",
                "--device": "DEVICE",
                "--cache": "CACHE",
            },
            optional={
                "--classifier": "input.classifier",
                "--low-res": "input.low_res",
                "--terms": "input.terms",
            },
            processes="resources.processes",
        )
