"""Numbers: of sample sets under a protocol, of held-out real images under it, and of the variational bound."""

SAMPLE_SET = "{model}/train{train_seed}/{sampler}/sample{sample_seed}/{steps}"


def row_of(model, **known):
    """Return what identifies a row of the table, null where a coordinate does not apply."""
    return {
        "model": model,
        "sampler": None,
        "steps": None,
        "guidance_scale": None,
        "train_seed": None,
        "sample_seed": None,
        "num_images": None,
        **known,
    }


def sampled_row(wildcards):
    """Return the row of a sample set."""
    numbers = {key: int(wildcards[key]) for key in ("steps", "train_seed", "sample_seed")}
    return row_of(
        entry_of(wildcards), sampler=wildcards.sampler, guidance_scale=scale_of(wildcards), **numbers
    )


def features_of_set(wildcards):
    """Return the path of a sample set's features under a protocol."""
    place = f"{place_of(wildcards)}/{wildcards.steps}"
    return f"{wildcards.tree}/features/{bench.extractor_of(wildcards.protocol)}/{place}.npz"


def reference_split(protocol):
    """Return the split that a protocol compares with, or its name where it brings a reference of its own."""
    part = bench.protocols[protocol][1]
    return f"reference_{protocol}" if part.reference_file else part.reference


def real_features(protocol, split):
    """Return the path of the features of a split's images, or of a protocol's own reference, under a protocol."""
    return f"results/features/{bench.extractor_of(protocol)}/real/{split}.npz"


def other_split(protocol):
    """Return the split that a protocol holds out, scored as if it had been sampled."""
    return next(split for split in ("test", "train") if split != reference_split(protocol))


def num_images(protocol):
    """Return how many images a protocol's sample sets have, so that real images are scored at the same number."""
    return max(row.num_images for row in ROWS if protocol in row.protocols)


rule score_samples:
    input:
        features=features_of_set,
        reference=lambda w: real_features(w.protocol, reference_split(w.protocol)),
        samples_provenance=f"{{tree}}/samples/{SAMPLE_SET}.npz.json",
        provenance=lambda w: provenance_of(
            features_of_set(w), real_features(w.protocol, reference_split(w.protocol))
        ),
    output:
        scores=f"{{tree}}/scores/{{protocol}}/{SAMPLE_SET}.json",
        provenance=f"{{tree}}/scores/{{protocol}}/{SAMPLE_SET}.json.json",
    log:
        f"{{tree}}/logs/score/{{protocol}}/{SAMPLE_SET}.log",
    params:
        spec=lambda w: identity(bench.score_job(w.protocol, sampled_row(w)), "score"),
    threads: bench.execution.threads
    shell:
        "log={log:q}; exec {sys.executable} -m diffbench.stages.score --spec {params.spec:q} --features {input.features:q}"
        " --reference {input.reference:q} --samples-provenance {input.samples_provenance:q} --out {output.scores:q}"
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'


# An upsampler of real images, image by image.
rule score_pairs:
    input:
        images=f"{{tree}}/samples/{SAMPLE_SET}.npz",
        truth=lambda w: data_of("test", bench.variant(w.model).size),
        low_res=lambda w: data_of("test", bench.variant(w.model).low_size),
    output:
        scores=f"{{tree}}/scores/pairs/{SAMPLE_SET}.psnr.json",
        provenance=f"{{tree}}/scores/pairs/{SAMPLE_SET}.psnr.json.json",
    log:
        f"{{tree}}/logs/score/pairs/{SAMPLE_SET}.log",
    params:
        spec=lambda w: identity(bench.pairs_job(sampled_row(w)), "score"),
    threads: bench.execution.threads
    shell:
        "log={log:q}; exec {sys.executable} -m diffbench.stages.score --spec {params.spec:q} --images {input.images:q}"
        " --truth {input.truth:q} --low-res {input.low_res:q} --out {output.scores:q}"
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'


rule score_real:
    input:
        features=lambda w: real_features(w.protocol, other_split(w.protocol)),
        reference=lambda w: real_features(w.protocol, reference_split(w.protocol)),
        provenance=lambda w: provenance_of(
            *(real_features(w.protocol, split(w.protocol)) for split in (other_split, reference_split))
        ),
    output:
        scores="results/scores/{protocol}/real.json",
        provenance="results/scores/{protocol}/real.json.json",
    log:
        "results/logs/score/{protocol}/real.log",
    params:
        spec=lambda w: identity(
            bench.score_job(w.protocol, row_of("real", num_images=num_images(w.protocol))), "score"
        ),
    threads: bench.execution.threads
    shell:
        "log={log:q}; exec {sys.executable} -m diffbench.stages.score --spec {params.spec:q} --features {input.features:q}"
        " --reference {input.reference:q} --out {output.scores:q}"
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
        spec=lambda w: identity(
            Job(
                {
                    "row": {
                        "benchmark": bench.name,
                        **row_of(w.model, train_seed=int(w.train_seed)),
                    }
                }
            ),
            "score",
        ),
    threads: bench.execution.threads
    shell:
        "log={log:q}; exec {sys.executable} -m diffbench.stages.score --spec {params.spec:q} --terms {input.terms:q}"
        ' --out {output.scores:q} --run-record "${{log%.log}}.run.json" 2> "$log"'
