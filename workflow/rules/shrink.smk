"""The data set at a lower resolution, for models of that size and for upsamplers that start from real images."""


rule shrink:
    input:
        data=paths.data("{split}"),
        provenance=paths.record(paths.data("{split}")),
    output:
        data=paths.data("{split}", "{size}"),
        provenance=paths.record(paths.data("{split}", "{size}")),
    log:
        paths.log("shrink", "{split}_{size}"),
    params:
        spec=lambda w: graph.data(w.split, int(w.size)).params,
    wildcard_constraints:
        size=r"\d+",
    localrule: True
    shell:
        call("shrink", {"--data": "input.data", "--out": "output.data"})
