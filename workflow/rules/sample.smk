"""Sample sets. One job makes all numbers of steps of a model, sampler and pair of seeds (execution.group_steps), or each
its own: outputs cannot be functions, so there is a rule for every distinct list of steps.
"""


def sampled_from(tree, steps, name):
    """Return the function that gives an input of a sampling job: its weights, say, or nothing where it takes none."""
    return lambda w: paths(graph.sources_of(row_at(tree, w, steps[0])).get(name))


def sampled_by(tree, steps):
    """Return the function that gives the spec of a sampling job."""
    return lambda w: text_of(graph.sample_spec(row_at(tree, w, steps[0]), steps))


for (tree, steps), places in grouped([*SETS, *APART]).items():
    samples = [
        f"{tree}/samples/{{model}}/train{{train_seed}}/{{sampler}}/sample{{sample_seed}}/{count}.npz"
        for count in steps
    ]
    label = "-".join(map(str, steps))
    place = "sample/{model}/train{train_seed}/{sampler}/sample{sample_seed}/" + label

    rule:
        name:
            rule_name("sample", tree, steps)
        input:
            weights=sampled_from(tree, steps, "weights"),
            classifier=sampled_from(tree, steps, "classifier"),
            low_res=sampled_from(tree, steps, "low_res"),
            terms=sampled_from(tree, steps, "terms"),
            provenance=lambda w, tree=tree, steps=steps: records(
                *graph.sources_of(row_at(tree, w, steps[0])).values()
            ),
        output:
            samples=samples,
            provenance=provenance_of(*samples),
        log:
            f"{tree}/logs/{place}.log",
        params:
            spec=sampled_by(tree, steps),
        wildcard_constraints:
            model=one_of(places),
        threads: bench.execution.threads
        resources:
            gpu=GPU,
        shell:
            "log={log:q}; classifier={input.classifier:q}; low_res={input.low_res:q}; terms={input.terms:q};"
            " exec {sys.executable:q} -m diffbench.stages.sample"
            ' --spec {params.spec:q} --weights {input.weights:q} ${{classifier:+--classifier "$classifier"}}'
            ' ${{low_res:+--low-res "$low_res"}} ${{terms:+--terms "$terms"}}'
            " --out {output.samples:q} --device {bench.execution.device} --cache .cache"
            ' --run-record "${{log%.log}}.run.json" 2> "$log"'
