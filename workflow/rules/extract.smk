"""Features of sample sets, together as they were sampled, and of the real images of both splits."""


def extracted_places():
    """Return {(tree, steps): places} as `grouped`, each place below its extractor's name."""
    jobs = {}
    for extractor in bench.extractors:
        measured = [row for row in (*ROWS, *APART) if extractor in map(bench.extractor_of, row.protocols)]
        for job, places in grouped(measured).items():
            jobs.setdefault(job, []).extend(f"{extractor}/{place}" for place in places)
    return jobs


def extracted_by(tree, steps):
    """Return the function that gives the spec of an extraction from sample sets."""
    return lambda w: text_of(
        graph.extract_spec(w.extractor, [graph.samples(row_at(tree, w, count)) for count in steps])
    )


SPLITS = [graph.data("train"), graph.data("test")]


rule extract_real:
    input:
        images=paths(SPLITS),
        provenance=records(*SPLITS),
        weights=lambda w: paths(graph.extractor(w.extractor)),
    output:
        features=[
            "results/features/{extractor}/real/train.npz",
            "results/features/{extractor}/real/test.npz",
        ],
        provenance=provenance_of(
            "results/features/{extractor}/real/train.npz",
            "results/features/{extractor}/real/test.npz",
        ),
    log:
        "results/logs/extract/{extractor}/real.log",
    params:
        spec=lambda w: text_of(graph.extract_spec(w.extractor, SPLITS)),
    threads: bench.execution.threads
    resources:
        gpu=GPU,
    shell:
        "log={log:q}; weights={input.weights:q}; exec {sys.executable:q} -m diffbench.stages.extract"
        ' --spec {params.spec:q} ${{weights:+--weights "$weights"}} --images {input.images:q}'
        " --out {output.features:q} --device {bench.execution.device}"
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'


rule extract_reference:
    input:
        images=lambda w: graph.reference_images(w.protocol, f"reference_{w.protocol}").path,
        weights=lambda w: paths(graph.extractor(w.extractor)),
    output:
        features="results/features/{extractor}/real/reference_{protocol}.npz",
        provenance="results/features/{extractor}/real/reference_{protocol}.npz.json",
    log:
        "results/logs/extract/{extractor}/reference_{protocol}.log",
    params:
        spec=lambda w: text_of(graph.real_features(w.protocol, f"reference_{w.protocol}").spec),
    threads: bench.execution.threads
    resources:
        gpu=GPU,
    shell:
        "log={log:q}; weights={input.weights:q}; exec {sys.executable:q} -m diffbench.stages.extract"
        ' --spec {params.spec:q} ${{weights:+--weights "$weights"}} --images {input.images:q}'
        " --out {output.features:q} --device {bench.execution.device}"
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'


for (tree, steps), places in extracted_places().items():
    place = "{model}/train{train_seed}/{sampler}/sample{sample_seed}/"
    samples = [f"{tree}/samples/{place}{count}.npz" for count in steps]
    features = [f"{tree}/features/{{extractor}}/{place}{count}.npz" for count in steps]
    label = "-".join(map(str, steps))

    rule:
        name:
            rule_name("extract", tree, steps)
        input:
            images=samples,
            provenance=provenance_of(*samples),
            weights=lambda w: paths(graph.extractor(w.extractor)),
        output:
            features=features,
            provenance=provenance_of(*features),
        log:
            f"{tree}/logs/extract/{{extractor}}/{place}{label}.log",
        params:
            spec=extracted_by(tree, steps),
        wildcard_constraints:
            extractor=one_of(places),
        threads: bench.execution.threads
        resources:
            gpu=GPU,
        shell:
            "log={log:q}; weights={input.weights:q}; exec {sys.executable:q} -m diffbench.stages.extract"
            ' --spec {params.spec:q} ${{weights:+--weights "$weights"}} --images {input.images:q}'
            " --out {output.features:q} --device {bench.execution.device}"
            ' --run-record "${{log%.log}}.run.json" 2> "$log"'
