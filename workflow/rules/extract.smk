"""Features of sample sets, together as they were sampled, and of the real images of both splits."""


def weights_of(wildcards):
    """Return the file of an extractor's weights: trained by this workflow, or the one that it names; else nothing."""
    if bench.needs_weights(wildcards.extractor):
        return f"results/extractors/{wildcards.extractor}.safetensors"
    path = getattr(bench.extractors[wildcards.extractor][1], "path", None)
    if path is None:
        return []
    file = from_project(path)
    if not file.is_file():
        stop(f"extractors.{wildcards.extractor}.path: {path}: no such file")
    return os.path.relpath(file)


def extract_spec(wildcards):
    """Return what an extraction depends on besides its files."""
    return identity(bench.extract_job(wildcards.extractor), "extract")


def extracted_places():
    """Return {(tree, steps): places} as `grouped`, each place below its extractor's name."""
    jobs = {}
    for extractor in bench.extractors:
        measured = [row for row in (*ROWS, *APART) if extractor in map(bench.extractor_of, row.protocols)]
        for job, places in grouped(measured).items():
            jobs.setdefault(job, []).extend(f"{extractor}/{place}" for place in places)
    return jobs


rule extract_real:
    input:
        images=["results/data/train.npz", "results/data/test.npz"],
        weights=weights_of,
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
        spec=extract_spec,
    threads: bench.execution.threads
    resources:
        gpu=GPU,
    shell:
        "log={log:q}; weights={input.weights:q}; exec {sys.executable} -m diffbench.stages.extract --spec {params.spec:q}"
        ' ${{weights:+--weights "$weights"}} --images {input.images:q} --out {output.features:q}'
        ' --device {bench.execution.device} --run-record "${{log%.log}}.run.json" 2> "$log"'


rule extract_reference:
    input:
        images=lambda w: from_project(bench.protocols[w.protocol][1].reference_file),
        weights=weights_of,
    output:
        features="results/features/{extractor}/real/reference_{protocol}.npz",
        provenance="results/features/{extractor}/real/reference_{protocol}.npz.json",
    log:
        "results/logs/extract/{extractor}/reference_{protocol}.log",
    params:
        spec=extract_spec,
    threads: bench.execution.threads
    resources:
        gpu=GPU,
    shell:
        "log={log:q}; weights={input.weights:q}; exec {sys.executable} -m diffbench.stages.extract --spec {params.spec:q}"
        ' ${{weights:+--weights "$weights"}} --images {input.images:q} --out {output.features:q}'
        ' --device {bench.execution.device} --run-record "${{log%.log}}.run.json" 2> "$log"'


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
            weights=weights_of,
        output:
            features=features,
            provenance=provenance_of(*features),
        log:
            f"{tree}/logs/extract/{{extractor}}/{place}{label}.log",
        params:
            spec=extract_spec,
        wildcard_constraints:
            extractor=one_of(places),
        threads: bench.execution.threads
        resources:
            gpu=GPU,
        shell:
            "log={log:q}; weights={input.weights:q}; exec {sys.executable} -m diffbench.stages.extract"
            ' --spec {params.spec:q} ${{weights:+--weights "$weights"}} --images {input.images:q}'
            " --out {output.features:q} --device {bench.execution.device}"
            ' --run-record "${{log%.log}}.run.json" 2> "$log"'
