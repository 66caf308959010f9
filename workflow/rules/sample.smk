"""Sample sets. One job makes all numbers of steps of a model, sampler and pair of seeds (execution.group_steps), or each
its own: outputs cannot be functions, so there is a rule for every distinct list of steps.
"""


def weights_of_model(wildcards):
    """Return the weights that a sample set is drawn with: the model's own, or those of the model that it is of."""
    of = bench.variant(wildcards.model).of
    given = bench.models[of].checkpoint
    if given is not None and given.facts is not None:
        return given.file
    return f"results/models/{of}/train{wildcards.train_seed}/weights.safetensors"


def classifier_of_model(wildcards):
    """Return the weights of the classifier that guides a model, if one does."""
    guidance = bench.variant(wildcards.model).guidance
    if guidance is None or guidance.classifier is None:
        return []
    given = bench.classifiers[guidance.classifier].checkpoint
    if given is not None:
        return given.file
    return f"results/classifiers/{guidance.classifier}/train{wildcards.train_seed}/weights.safetensors"


def low_res_of_model(tree, steps):
    """Return the function that gives the images which an upsampler starts from, if the model is one."""

    def images(wildcards):
        model = bench.variant(wildcards.model)
        if model.low_res is None:
            return []
        if model.low_res.model == REAL:
            return data_of("test", model.low_size)
        return path_of(bench.low_res_set(ROW_AT[tree, place_of(wildcards), steps[0]]))

    return images


def terms_of_model(wildcards):
    """Return the bound of a model on training images, where its sampler needs the error of the predicted x_0."""
    if not bench.samplers[wildcards.sampler].needs_error:
        return []
    return f"results/terms/{bench.variant(wildcards.model).of}/train{wildcards.train_seed}/train.npz"


def sample_spec(tree, steps):
    """Return the function that gives a job's spec."""

    def spec(wildcards):
        row = ROW_AT[tree, place_of(wildcards), steps[0]]
        job = bench.sample_job(row.model, row.sampler, steps, row.sample_seed, row.num_images)
        return identity(job, "sample")

    return spec


for (tree, steps), places in grouped([*SETS, *APART]).items():
    samples = [
        f"{tree}/samples/{{model}}/train{{train_seed}}/{{sampler}}/sample{{sample_seed}}/{count}.npz"
        for count in steps
    ]
    low_res = low_res_of_model(tree, steps)
    label = "-".join(map(str, steps))
    place = "sample/{model}/train{train_seed}/{sampler}/sample{sample_seed}/" + label

    rule:
        name:
            rule_name("sample", tree, steps)
        input:
            weights=weights_of_model,
            classifier=classifier_of_model,
            low_res=low_res,
            terms=terms_of_model,
            provenance=lambda w: provenance_of(weights_of_model(w)),
            low_res_provenance=lambda w, low_res=low_res: provenance_of(low_res(w)) if low_res(w) else [],
        output:
            samples=samples,
            provenance=provenance_of(*samples),
        log:
            f"{tree}/logs/{place}.log",
        params:
            spec=sample_spec(tree, steps),
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
