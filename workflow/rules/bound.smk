"""The variational bound of every model, term by term, on unseen and on training images."""


rule bound:
    input:
        weights=lambda w: graph.model(w.model, int(w.train_seed)).path,
        data="results/data/{split}.npz",
        provenance=lambda w: records(graph.model(w.model, int(w.train_seed)), graph.data(w.split)),
    output:
        terms="results/terms/{model}/train{train_seed}/{split}.npz",
        provenance="results/terms/{model}/train{train_seed}/{split}.npz.json",
    log:
        "results/logs/bound/{model}/train{train_seed}/{split}.log",
    params:
        spec=lambda w: text_of(graph.terms(w.model, int(w.train_seed), w.split).spec),
    threads: bench.execution.threads
    resources:
        gpu=GPU,
    shell:
        "log={log:q}; exec {sys.executable:q} -m diffbench.stages.bound --spec {params.spec:q}"
        " --weights {input.weights:q} --data {input.data:q} --out {output.terms:q}"
        ' --device {bench.execution.device} --run-record "${{log%.log}}.run.json" 2> "$log"'
