"""Sample sets. One job makes all numbers of steps of a model, sampler and pair of seeds (execution.group_steps), or each
its own: outputs cannot be functions, so there is a rule for every distinct list of steps.
"""


def sample_spec(steps, rows):
    """Return the function that gives a job's spec."""
    num_images = {place_of(row): row.num_images for row in rows if row.steps == steps[0]}

    def spec(wildcards):
        images = num_images[place_of(wildcards)]
        return identity(
            bench.sample_job(
                wildcards.model,
                wildcards.sampler,
                steps,
                int(wildcards.sample_seed),
                images,
            ),
            "sample",
        )

    return spec


for steps, places in grouped(ROWS).items():
    samples = [
        f"results/samples/{{model}}/train{{train_seed}}/{{sampler}}/sample{{sample_seed}}/{count}.npz"
        for count in steps
    ]
    label = "-".join(map(str, steps))
    place = "sample/{model}/train{train_seed}/{sampler}/sample{sample_seed}/" + label

    rule:
        name:
            "sample_" + label.replace("-", "_")
        input:
            weights="results/models/{model}/train{train_seed}/weights.safetensors",
            provenance="results/models/{model}/train{train_seed}/weights.safetensors.json",
        output:
            samples=samples,
            provenance=provenance_of(*samples),
        log:
            f"results/logs/{place}.log",
        params:
            spec=sample_spec(steps, ROWS),
        wildcard_constraints:
            model=one_of(places),
        threads: bench.execution.threads
        resources:
            gpu=GPU,
        shell:
            "log={log:q}; exec {sys.executable} -m diffbench.stages.sample --spec {params.spec:q} --weights {input.weights:q}"
            " --out {output.samples:q} --device {bench.execution.device} --cache .cache"
            ' --run-record "${{log%.log}}.run.json" 2> "$log"'
