"""The data set at a lower resolution, for models of that size and for upsamplers that are shown real images."""


rule shrink:
    input:
        data="results/data/{split}.npz",
        provenance="results/data/{split}.npz.json",
    output:
        data="results/data/{split}_{size}.npz",
        provenance="results/data/{split}_{size}.npz.json",
    log:
        "results/logs/shrink/{split}_{size}.log",
    params:
        spec=lambda w: text_of(graph.data(w.split, int(w.size)).spec),
    wildcard_constraints:
        split="train|test",
        size=r"\d+",
    localrule: True
    shell:
        "log={log:q}; exec {sys.executable:q} -m diffbench.stages.shrink --spec {params.spec:q} --data {input.data:q}"
        ' --out {output.data:q} --run-record "${{log%.log}}.run.json" 2> "$log"'
