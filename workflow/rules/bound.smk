"""The variational bound of every model, term by term, on unseen and on training images."""


rule bound:
    input:
        weights=weights_of_model,
        data="results/data/{split}.npz",
        provenance=lambda w: provenance_of(weights_of_model(w), f"results/data/{w.split}.npz"),
    output:
        terms="results/terms/{model}/train{train_seed}/{split}.npz",
        provenance="results/terms/{model}/train{train_seed}/{split}.npz.json",
    log:
        "results/logs/bound/{model}/train{train_seed}/{split}.log",
    params:
        spec=lambda w: identity(bench.bound_job(w.model, w.split), "bound"),
    threads: bench.execution.threads
    resources:
        gpu=GPU,
    shell:
        "log={log:q}; exec {sys.executable} -m diffbench.stages.bound --spec {params.spec:q} --weights {input.weights:q}"
        " --data {input.data:q} --out {output.terms:q} --device {bench.execution.device}"
        ' --run-record "${{log%.log}}.run.json" 2> "$log"'
