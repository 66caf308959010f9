"""Sample sets. One job makes all numbers of steps of a model, sampler and pair of seeds (execution.group_steps), or each
its own: outputs cannot be functions, so there is a rule for every distinct list of steps.
"""


def weights_of_model(wildcards):
    """Return the weights that a sample set is drawn with: the model's own, or those of the model that it is of."""
    of = bench.variant(wildcards.model).of
    return f"results/models/{of}/train{wildcards.train_seed}/weights.safetensors"


def classifier_of_model(wildcards):
    """Return the weights of the classifier that guides a model, if one does."""
    guidance = bench.variant(wildcards.model).guidance
    if guidance is None or guidance.classifier is None:
        return []
    return f"results/classifiers/{guidance.classifier}/train{wildcards.train_seed}/weights.safetensors"


def low_res_of_model(wildcards):
    """Return the images that an upsampler starts from, if the model is one."""
    source = bench.variant(wildcards.model).low_res
    if source is None:
        return []
    if source.model == REAL:
        return data_of("test", bench.variant(wildcards.model).low_size)
    seeds = f"train{wildcards.train_seed}/{source.sampler}/sample{wildcards.sample_seed}"
    steps = 0 if bench.samplers[source.sampler].adaptive else source.steps
    return f"results/samples/{source.model}/{seeds}/{steps}.npz"


def terms_of_model(wildcards):
    """Return the bound of a model on training images, where its sampler needs the error of the predicted x_0."""
    if not bench.samplers[wildcards.sampler].needs_error:
        return []
    return f"results/terms/{bench.variant(wildcards.model).of}/train{wildcards.train_seed}/train.npz"


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


for steps, places in grouped(SETS).items():
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
            weights=weights_of_model,
            classifier=classifier_of_model,
            low_res=low_res_of_model,
            terms=terms_of_model,
            provenance=lambda w: provenance_of(weights_of_model(w)),
            low_res_provenance=lambda w: provenance_of(low_res_of_model(w)) if low_res_of_model(w) else [],
        output:
            samples=samples,
            provenance=provenance_of(*samples),
        log:
            f"results/logs/{place}.log",
        params:
            spec=sample_spec(steps, SETS),
        wildcard_constraints:
            model=one_of(places),
        threads: bench.execution.threads
        resources:
            gpu=GPU,
        shell:
            "log={log:q}; classifier={input.classifier:q}; low_res={input.low_res:q}; terms={input.terms:q}; exec {sys.executable} -m diffbench.stages.sample"
            ' --spec {params.spec:q} --weights {input.weights:q} ${{classifier:+--classifier "$classifier"}}'
            ' ${{low_res:+--low-res "$low_res"}} ${{terms:+--terms "$terms"}}'
            " --out {output.samples:q} --device {bench.execution.device} --cache .cache"
            ' --run-record "${{log%.log}}.run.json" 2> "$log"'
