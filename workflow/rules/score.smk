"""Scores of sample sets and of held-out real images under a protocol, and scores of the variational bound."""


def features_of(w):
    """Return the features of a sample set."""
    return graph.features(bench.extractor_of(w.protocol), row_of(w))


def held_out_of(w):
    """Return the features of real images that a protocol holds out, if one of its metrics needs them."""
    return graph.held_out(w.protocol) if bench.needs_held_out(w.protocol) else None


rule score_samples:
    input:
        features=lambda w: features_of(w).path,
        reference=lambda w: graph.reference(w.protocol).path,
        held_out=lambda w: files_of(held_out_of(w)),
        samples_provenance=paths.record(SAMPLES),
        provenance=lambda w: [
            *records_of([features_of(w), graph.reference(w.protocol)]),
            *records_of(held_out_of(w)),
        ],
    output:
        scores=SCORES,
        provenance=paths.record(SCORES),
    log:
        paths.log("score", f"{{protocol}}/{PLACE}/{{steps}}", "{tree}"),
    params:
        spec=lambda w: graph.scores(w.protocol, row_of(w)).params,
    threads: THREADS
    resources:
        **asked(
            lambda w: jobs.score_job(bench, w.protocol, jobs.row_of_set(bench, row_of(w))),
            num_images=lambda w: row_of(w).num_images,
        ),
    shell:
        call(
            "score",
            {
                "--features": "input.features",
                "--reference": "input.reference",
                "--samples-provenance": "input.samples_provenance",
                "--out": "output.scores",
            },
            optional={"--held-out": "input.held_out"},
        )


PAIR_SCORES = paths.pair_scores("{tree}", PLACE, "{steps}")


# Each upsampled real image is compared with the true one.
rule score_pairs:
    input:
        images=SAMPLES,
        truth=lambda w: graph.pair_sources(row_of(w))["truth"].path,
        low_res=lambda w: graph.pair_sources(row_of(w))["low_res"].path,
        provenance=lambda w: records_of(graph.pair_sources(row_of(w)).values()),
    output:
        scores=PAIR_SCORES,
        provenance=paths.record(PAIR_SCORES),
    log:
        paths.log("score", f"pairs/{PLACE}/{{steps}}", "{tree}"),
    params:
        spec=lambda w: graph.pair_scores(row_of(w)).params,
    threads: THREADS
    resources:
        **asked(
            lambda w: jobs.pairs_job(bench, jobs.row_of_set(bench, row_of(w))),
            num_images=lambda w: row_of(w).num_images,
        ),
    shell:
        call(
            "score",
            {
                "--images": "input.images",
                "--truth": "input.truth",
                "--low-res": "input.low_res",
                "--out": "output.scores",
            },
        )


rule score_real:
    input:
        features=lambda w: graph.held_out(w.protocol).path,
        reference=lambda w: graph.reference(w.protocol).path,
        provenance=lambda w: records_of([graph.held_out(w.protocol), graph.reference(w.protocol)]),
    output:
        scores=paths.real_scores("{protocol}"),
        provenance=paths.record(paths.real_scores("{protocol}")),
    log:
        paths.log("score", "{protocol}/real"),
    params:
        spec=lambda w: graph.real_scores(w.protocol).params,
    threads: THREADS
    resources:
        **asked(lambda w: jobs.score_job(bench, w.protocol, jobs.row_of_real(bench, 0))),
    shell:
        call(
            "score",
            {"--features": "input.features", "--reference": "input.reference", "--out": "output.scores"},
        )


ALL_TERMS = [paths.terms("{model}", "{train_seed}", split) for split in bench.bound.splits]
BOUND_SCORES = paths.bound_scores("{model}", "{train_seed}")


rule score_bound:
    input:
        terms=ALL_TERMS,
        provenance=[paths.record(terms) for terms in ALL_TERMS],
    output:
        scores=BOUND_SCORES,
        provenance=paths.record(BOUND_SCORES),
    log:
        paths.log("score", "bound/{model}/train{train_seed}"),
    params:
        spec=lambda w: graph.bound_scores(w.model, int(w.train_seed)).params,
    threads: THREADS
    resources:
        **asked(lambda w: jobs.bound_score_job(bench, w.model, int(w.train_seed))),
    shell:
        call("score", {"--terms": "input.terms", "--out": "output.scores"})
