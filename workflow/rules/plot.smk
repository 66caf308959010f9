"""Pictures of what the numbers are about; the one that is drawn from the table is made with it (tabulate.smk)."""


def figure_job(name, labels=(), title=""):
    """Return what a figure depends on besides its files; no title: the figure's own."""
    own = {"title": title} if title else {}
    return Job(
        {"figure": {"name": name, **own}, "labels": list(labels)},
        (module_of("figures", name),),
    )


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


FIRST_TERMS = {}
for model, seed in bench.bounded_models():
    FIRST_TERMS.setdefault(model, f"results/terms/{model}/train{seed}/test.npz")


rule samples_figure:
    input:
        real=lambda w: data_of("test", bench.models[w.model].size),
        images=lambda w: [f"results/samples/{place_of(row)}/{row.steps}.npz" for row in shown_rows(w.model)],
    output:
        figure="results/figures/samples_{model}.png",
        provenance="results/figures/samples_{model}.png.json",
    log:
        "results/logs/plot/samples_{model}.log",
    params:
        spec=lambda w: identity(
            figure_job(
                "samples",
                [shown_as(row) for row in shown_rows(w.model)],
            ),
            "plot",
        ),
    localrule: True
    shell:
        "log={log:q}; exec {sys.executable} -m diffbench.stages.plot --spec {params.spec:q} --real {input.real:q}"
        ' --images {input.images:q} --out {output.figure:q} --run-record "${{log%.log}}.run.json" 2> "$log"'


def before_and_after():
    """Return {label: file}, the first sample set of every upsampler below the images that it started from."""
    files = {}
    seen = set()
    for row in UPSAMPLING:
        model = bench.variant(row.model)
        if model.low_res is None or row.model in seen:
            continue
        seen.add(row.model)
        real = model.low_res.model == REAL
        below = bench.low_res_set(row)
        small = (
            data_of("test", model.low_size)
            if real
            else f"results/samples/{place_of(below)}/{below.steps}.npz"
        )
        files[f"{row.model}, given"] = small
        files[f"{row.model}, upsampled"] = f"results/samples/{place_of(row)}/{row.steps}.npz"
        if real:
            files[f"{row.model}, true"] = data_of("test", model.size)
    return files


UPSAMPLING = bench.upsampling_rows()


rule upsampling_figure:
    input:
        images=list(before_and_after().values()),
    output:
        figure="results/figures/upsampling.png",
        provenance="results/figures/upsampling.png.json",
    log:
        "results/logs/plot/upsampling.log",
    params:
        spec=identity(figure_job("upsampling", before_and_after()), "plot"),
    localrule: True
    shell:
        "log={log:q}; exec {sys.executable} -m diffbench.stages.plot --spec {params.spec:q} --images {input.images:q}"
        ' --out {output.figure:q} --run-record "${{log%.log}}.run.json" 2> "$log"'


rule rate_distortion_figure:
    input:
        terms=list(FIRST_TERMS.values()),
    output:
        figure="results/figures/rate_distortion.png",
        provenance="results/figures/rate_distortion.png.json",
    log:
        "results/logs/plot/rate_distortion.log",
    params:
        spec=identity(figure_job("rate_distortion", FIRST_TERMS), "plot"),
    localrule: True
    shell:
        "log={log:q}; exec {sys.executable} -m diffbench.stages.plot --spec {params.spec:q} --terms {input.terms:q}"
        ' --out {output.figure:q} --run-record "${{log%.log}}.run.json" 2> "$log"'


rule progressive_figure:
    input:
        terms=lambda w: FIRST_TERMS[w.model],
    output:
        figure="results/figures/progressive_{model}.png",
        provenance="results/figures/progressive_{model}.png.json",
    log:
        "results/logs/plot/progressive_{model}.log",
    params:
        spec=lambda w: identity(
            figure_job("progressive", title=f"{w.model}: test images as their bits arrive"),
            "plot",
        ),
    localrule: True
    shell:
        "log={log:q}; exec {sys.executable} -m diffbench.stages.plot --spec {params.spec:q} --terms {input.terms:q}"
        ' --out {output.figure:q} --run-record "${{log%.log}}.run.json" 2> "$log"'
