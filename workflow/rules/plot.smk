"""Pictures of what the numbers are about; the one that is drawn from the table is made with it (tabulate.smk)."""


def figure_spec(name, labels=(), title="", **sources):
    """Return what a figure depends on; no title: the figure's own. sources: the artifacts that it is drawn from."""
    figure = FigurePart(name, {"title": title} if title else {})
    return graph.made_from(PlotJob(figure=figure, labels=tuple(labels)), **sources)


def shown_rows(model):
    """Return the rows of a model that its picture shows: every sampler, number of steps and scale, for its first seeds."""
    own = [row for row in ROWS if entry_of(row) == model]
    seeds = own[0].train_seed, own[0].sample_seed
    order = list(bench.samplers)
    return sorted(
        (row for row in own if (row.train_seed, row.sample_seed) == seeds),
        key=lambda row: (order.index(row.sampler), row.steps, scale_of(row) or 0),
    )


def shown_as(row):
    """Return the label of a row in its model's picture."""
    scale = scale_of(row)
    steps = f"{row.steps} steps" if row.steps else "adaptive"
    return f"{row.sampler}, {steps}" + ("" if scale is None else f", scale {scale:g}")


def samples_figure(model):
    """Return the artifacts that a model's picture is drawn from, real images first, and its spec."""
    real = graph.data("test", bench.models[model].size)
    images = [graph.samples(row) for row in shown_rows(model)]
    labels = [shown_as(row) for row in shown_rows(model)]
    return real, images, figure_spec("samples", labels, real=real, images=images)


# The bound of every model, of its first training seed.
FIRST_TERMS = {}
for model, seed in bench.bounded_models():
    FIRST_TERMS.setdefault(model, graph.terms(model, seed, "test"))


rule samples_figure:
    input:
        real=lambda w: samples_figure(w.model)[0].path,
        images=lambda w: paths(samples_figure(w.model)[1]),
        provenance=lambda w: records(samples_figure(w.model)[0], *samples_figure(w.model)[1]),
    output:
        figure="results/figures/samples_{model}.png",
        provenance="results/figures/samples_{model}.png.json",
    log:
        "results/logs/plot/samples_{model}.log",
    params:
        spec=lambda w: text_of(samples_figure(w.model)[2]),
    localrule: True
    shell:
        "log={log:q}; exec {sys.executable:q} -m diffbench.stages.plot --spec {params.spec:q} --real {input.real:q}"
        ' --images {input.images:q} --out {output.figure:q} --run-record "${{log%.log}}.run.json" 2> "$log"'


def before_and_after():
    """Return {label: artifact}, the first sample set of every upsampler below the images that it started from."""
    found = {}
    seen = set()
    for row in UPSAMPLING:
        model = bench.variant(row.model)
        if model.low_res is None or row.model in seen:
            continue
        seen.add(row.model)
        found[f"{row.model}, given"] = graph.low_res(row)
        found[f"{row.model}, upsampled"] = graph.samples(row)
        if model.low_res.model == REAL:
            found[f"{row.model}, true"] = graph.data("test", model.size)
    return found


UPSAMPLING = bench.upsampling_rows()
BEFORE_AND_AFTER = before_and_after()
UPSAMPLING_FIGURE = figure_spec("upsampling", BEFORE_AND_AFTER, images=list(BEFORE_AND_AFTER.values()))
RATE_DISTORTION_FIGURE = figure_spec("rate_distortion", FIRST_TERMS, terms=list(FIRST_TERMS.values()))


rule upsampling_figure:
    input:
        images=paths(BEFORE_AND_AFTER.values()),
        provenance=records(*BEFORE_AND_AFTER.values()),
    output:
        figure="results/figures/upsampling.png",
        provenance="results/figures/upsampling.png.json",
    log:
        "results/logs/plot/upsampling.log",
    params:
        spec=text_of(UPSAMPLING_FIGURE),
    localrule: True
    shell:
        "log={log:q}; exec {sys.executable:q} -m diffbench.stages.plot --spec {params.spec:q} --images {input.images:q}"
        ' --out {output.figure:q} --run-record "${{log%.log}}.run.json" 2> "$log"'


rule rate_distortion_figure:
    input:
        terms=paths(FIRST_TERMS.values()),
        provenance=records(*FIRST_TERMS.values()),
    output:
        figure="results/figures/rate_distortion.png",
        provenance="results/figures/rate_distortion.png.json",
    log:
        "results/logs/plot/rate_distortion.log",
    params:
        spec=text_of(RATE_DISTORTION_FIGURE),
    localrule: True
    shell:
        "log={log:q}; exec {sys.executable:q} -m diffbench.stages.plot --spec {params.spec:q} --terms {input.terms:q}"
        ' --out {output.figure:q} --run-record "${{log%.log}}.run.json" 2> "$log"'


def progressive_spec(model):
    """Return the spec of a model's progressive reconstructions."""
    return figure_spec(
        "progressive", title=f"{model}: test images as their bits arrive", terms=[FIRST_TERMS[model]]
    )


rule progressive_figure:
    input:
        terms=lambda w: FIRST_TERMS[w.model].path,
        provenance=lambda w: FIRST_TERMS[w.model].record,
    output:
        figure="results/figures/progressive_{model}.png",
        provenance="results/figures/progressive_{model}.png.json",
    log:
        "results/logs/plot/progressive_{model}.log",
    params:
        spec=lambda w: text_of(progressive_spec(w.model)),
    localrule: True
    shell:
        "log={log:q}; exec {sys.executable:q} -m diffbench.stages.plot --spec {params.spec:q} --terms {input.terms:q}"
        ' --out {output.figure:q} --run-record "${{log%.log}}.run.json" 2> "$log"'
