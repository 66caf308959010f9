"""The entry `validation` of a benchmark, which asks for the validation loss of its models in training."""

from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.plugins import configure
from diffbench.benchmark.benchmark import Benchmark
from diffbench.training.settings import Validation


def validation_of(entry: Any) -> Validation | None:
    """Return how the validation loss is measured; None without an entry. Raises: UserError for a wrong setting."""
    return None if entry is None else configure(Validation, entry, "validation")


def check_validation(benchmark: Benchmark) -> None:
    """Raise UserError if a validation loss is asked for and no model is trained, or a chain has too few timesteps."""
    if benchmark.validation is None:
        return
    trained = dict.fromkeys(name for name, _ in benchmark.trained_models())
    if not trained:
        raise UserError("validation: no model of this benchmark is trained here; leave it out")
    for name in trained:
        held = benchmark.models[name].diffusion.timesteps
        if benchmark.validation.timesteps > held:
            raise UserError(
                f"validation.timesteps: {benchmark.validation.timesteps} is more than the {held} timesteps of "
                f"models.{name}; give at most that"
            )
