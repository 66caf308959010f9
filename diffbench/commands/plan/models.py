"""The cost of each model and classifier with one train seed: what its training, sampling and bound evaluate."""

from dataclasses import dataclass
from math import prod

from diffbench.base.sizes import shrunk_shape
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.resources import BACKWARD
from diffbench.commands.plan.counts import bound_evaluations, sample_calls, train_evaluations, validation_calls
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.networks import classifier_network, model_network


@dataclass(frozen=True)
class ModelPlan:
    """The cost of one model or classifier with one train seed. Evaluations are network rows.

    sample_flops: the operations of one evaluation in sampling; None if it is just a forward pass.
    """

    name: str
    parameters: int
    flops: int
    train_evaluations: int
    sample_evaluations: int
    bound_evaluations: int
    sample_bytes: int
    sample_flops: int | None = None
    validation_evaluations: int = 0

    @property
    def flops_of_sampling(self) -> int:
        """The floating-point operations of all sampling."""
        return self.sample_evaluations * (self.flops if self.sample_flops is None else self.sample_flops)

    @property
    def total_flops(self) -> int:
        """The floating-point operations of training with its validation losses, of bound and sampling together."""
        rows = BACKWARD * self.train_evaluations + self.validation_evaluations + self.bound_evaluations
        return self.flops * rows + self.flops_of_sampling


def plan_models(benchmark: Benchmark, known: Known) -> list[ModelPlan]:
    """Return a plan per (model, train seed) and per classifier.

    Guided sample sets count with the model whose weights they use.
    """
    return [
        *(_plan_model(benchmark, name, seed, known) for name, seed in benchmark.used_models()),
        *(_plan_classifier(benchmark, name, seed, known) for name, seed in benchmark.used_classifiers()),
    ]


def _plan_model(benchmark: Benchmark, name: str, seed: int, known: Known) -> ModelPlan:
    counted, model = model_network(benchmark, name, known), benchmark.models[name]
    channels, height, width = shrunk_shape(known.shape, model.size)
    rows = [row for row in benchmark.all_sets() if (benchmark.variant(row.model).of, row.train_seed) == (name, seed)]
    bounded = (name, seed) in benchmark.bounded_models()
    return ModelPlan(
        name=f"{name} seed {seed}",
        parameters=counted.parameters,
        flops=counted.flops,
        train_evaluations=train_evaluations(model),
        sample_evaluations=sum(sample_calls(benchmark, row)[0] for row in rows) * benchmark.sampling.micro_batch,
        bound_evaluations=bound_evaluations(benchmark, name, known) if bounded else 0,
        sample_bytes=sum(row.num_images for row in rows) * channels * height * width,
        validation_evaluations=prod(validation_calls(benchmark, model, known)),
    )


def _plan_classifier(benchmark: Benchmark, name: str, seed: int, known: Known) -> ModelPlan:
    counted = classifier_network(benchmark, name, known)
    sets = [(row, benchmark.variant(row.model).guidance) for row in benchmark.all_sets() if row.train_seed == seed]
    guided = [row for row, guidance in sets if guidance is not None and guidance.classifier == name]
    return ModelPlan(
        name=f"{name} seed {seed}",
        parameters=counted.parameters,
        flops=counted.flops,
        train_evaluations=train_evaluations(benchmark.classifiers[name]),
        sample_evaluations=sum(sample_calls(benchmark, row)[1] for row in guided) * benchmark.sampling.micro_batch,
        bound_evaluations=0,
        sample_bytes=0,
        sample_flops=counted.with_gradient,
    )
