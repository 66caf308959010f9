"""Figures of samples and bounds. Figures that are drawn from a table are in tabulate.smk."""


rule samples_figure:
    input:
        real=lambda w: summary.samples_figure(w.model).files("real"),
        images=lambda w: summary.samples_figure(w.model).files("images"),
        provenance=lambda w: summary.samples_figure(w.model).records("real", "images"),
    output:
        figure=paths.figure("samples_{model}"),
        provenance=paths.record(paths.figure("samples_{model}")),
    log:
        paths.log("plot", "samples_{model}"),
    params:
        spec=lambda w: summary.samples_figure(w.model).params,
    localrule: True
    shell:
        call("plot", {"--real": "input.real", "--images": "input.images", "--out": "output.figure"})


rule upsampling_figure:
    input:
        images=summary.upsampling_figure.files("images"),
        provenance=summary.upsampling_figure.records("images"),
    output:
        figure=paths.figure("upsampling"),
        provenance=paths.record(paths.figure("upsampling")),
    log:
        paths.log("plot", "upsampling"),
    params:
        spec=summary.upsampling_figure.params,
    localrule: True
    shell:
        call("plot", {"--images": "input.images", "--out": "output.figure"})


rule rate_distortion_figure:
    input:
        terms=summary.rate_distortion_figure.files("terms"),
        provenance=summary.rate_distortion_figure.records("terms"),
    output:
        figure=paths.figure("rate_distortion"),
        provenance=paths.record(paths.figure("rate_distortion")),
    log:
        paths.log("plot", "rate_distortion"),
    params:
        spec=summary.rate_distortion_figure.params,
    localrule: True
    shell:
        call("plot", {"--terms": "input.terms", "--out": "output.figure"})


rule progressive_figure:
    input:
        terms=lambda w: summary.progressive_figure(w.model).files("terms"),
        provenance=lambda w: summary.progressive_figure(w.model).records("terms"),
    output:
        figure=paths.figure("progressive_{model}"),
        provenance=paths.record(paths.figure("progressive_{model}")),
    log:
        paths.log("plot", "progressive_{model}"),
    params:
        spec=lambda w: summary.progressive_figure(w.model).params,
    localrule: True
    shell:
        call("plot", {"--terms": "input.terms", "--out": "output.figure"})
