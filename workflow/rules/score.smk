"""Numbers: of sample sets under a protocol, of held-out real images under it, and of the variational bound."""

SAMPLE_SET = "{model}/train{train_seed}/{sampler}/sample{sample_seed}/{steps}"


def scored_row(wildcards):
    """Return the row that a job of scoring names."""
    return row_at(wildcards.tree, wildcards, wildcards.steps)


def features_of(wildcards):
    """Return the features of a sample set and those that its protocol compares with."""
    extractor = bench.extractor_of(wildcards.protocol)
    return graph.features(extractor, scored_row(wildcards)), graph.reference(wildcards.protocol)


rule score_samples:
    input:
        features=lambda w: features_of(w)[0].path,
        reference=lambda w: features_of(w)[1].path,
        samples_provenance=f"{{tree}}/samples/{SAMPLE_SET}.npz.json",
        provenance=lambda w: records(*features_of(w)),
    output:
        scores=f"{{tree}}/scores/{{protocol}}/{SAMPLE_SET}.json",
        provenance=f"{{tree}}/scores/{{protocol}}/{SAMPLE_SET}.json.json",
    log:
        f"{{tree}}/logs/score/{{protocol}}/{SAMPLE_SET}.log",
    params:
        spec=lambda w: text_of(graph.scores(w.protocol, scored_row(w)).spec),
    threads: bench.execution.threads
    shell:
        "log={log:q}; exec {sys.executable:q} -m diffbench.stages.score --spec {params.spec:q}"
        " --features {input.features:q} --reference {input.reference:q}"
        " --samples-provenance {input.samples_provenance:q} --out {output.scores:q}"
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'


# An upsampler of real images, image by image.
rule score_pairs:
    input:
        images=f"{{tree}}/samples/{SAMPLE_SET}.npz",
        truth=lambda w: graph.pair_sources(scored_row(w))["truth"].path,
        low_res=lambda w: graph.pair_sources(scored_row(w))["low_res"].path,
        provenance=lambda w: records(*graph.pair_sources(scored_row(w)).values()),
    output:
        scores=f"{{tree}}/scores/pairs/{SAMPLE_SET}.psnr.json",
        provenance=f"{{tree}}/scores/pairs/{SAMPLE_SET}.psnr.json.json",
    log:
        f"{{tree}}/logs/score/pairs/{SAMPLE_SET}.log",
    params:
        spec=lambda w: text_of(graph.pair_scores(scored_row(w)).spec),
    threads: bench.execution.threads
    shell:
        "log={log:q}; exec {sys.executable:q} -m diffbench.stages.score --spec {params.spec:q} --images {input.images:q}"
        " --truth {input.truth:q} --low-res {input.low_res:q} --out {output.scores:q}"
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'


rule score_real:
    input:
        features=lambda w: graph.real_features(w.protocol, graph.other_split(w.protocol)).path,
        reference=lambda w: graph.reference(w.protocol).path,
        provenance=lambda w: records(
            graph.real_features(w.protocol, graph.other_split(w.protocol)), graph.reference(w.protocol)
        ),
    output:
        scores="results/scores/{protocol}/real.json",
        provenance="results/scores/{protocol}/real.json.json",
    log:
        "results/logs/score/{protocol}/real.log",
    params:
        spec=lambda w: text_of(graph.real_scores(w.protocol).spec),
    threads: bench.execution.threads
    shell:
        "log={log:q}; exec {sys.executable:q} -m diffbench.stages.score --spec {params.spec:q}"
        " --features {input.features:q} --reference {input.reference:q} --out {output.scores:q}"
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'


TERMS = [f"results/terms/{{model}}/train{{train_seed}}/{split}.npz" for split in bench.bound.splits]


rule score_bound:
    input:
        terms=TERMS,
        provenance=provenance_of(*TERMS),
    output:
        scores="results/scores/bound/{model}/train{train_seed}.json",
        provenance="results/scores/bound/{model}/train{train_seed}.json.json",
    log:
        "results/logs/score/bound/{model}/train{train_seed}.log",
    params:
        spec=lambda w: text_of(graph.bound_scores(w.model, int(w.train_seed)).spec),
    threads: bench.execution.threads
    shell:
        "log={log:q}; exec {sys.executable:q} -m diffbench.stages.score --spec {params.spec:q} --terms {input.terms:q}"
        ' --out {output.scores:q} --run-record "${{log%.log}}.run.json" 2> "$log"'
