"""The one loader and validator of a benchmark's YAML file.

The workflow and all commands use it. For every mistake, the error is one line that names the place, the value and
what is allowed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from diffbench.base.errors import UserError
from diffbench.base.names import require_benchmark, require_names, weights_under
from diffbench.base.plugins import chosen, configure, nearest, stated
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.cascades import check_cascades, low_res_of, sizes_of
from diffbench.benchmark.checkpoints import adopted, check_checkpoints
from diffbench.benchmark.computable import check_numerics
from diffbench.benchmark.entries import Bound, Execution, Model, SamplerEntry
from diffbench.benchmark.grid import SenselessError, check_combination, expanded
from diffbench.benchmark.guidance import (
    check_guidance,
    classifier_of,
    guidance_of,
    labels_of,
    only_sampled,
    sampled_otherwise,
    weights_of,
)
from diffbench.benchmark.last_jobs import check_last_jobs
from diffbench.benchmark.numerics import numerics_of
from diffbench.benchmark.places import folder_of, located, require_default
from diffbench.benchmark.processes import check_processes
from diffbench.benchmark.protocols import extractors_of
from diffbench.benchmark.runs import check_runs, run_of
from diffbench.benchmark.scheduler_file import with_file
from diffbench.benchmark.validation import check_validation, validation_of
from diffbench.benchmark.written import DIFFUSION_KEYS, MODEL_KEYS, REQUIRED, SAMPLED_KEYS, SECTIONS
from diffbench.benchmark.yaml_file import read_layers
from diffbench.diffusion.denoiser import Diffusion
from diffbench.diffusion.off_grid import OffGrid
from diffbench.jobs.sample import Sampling
from diffbench.training.settings import Training

OFF_GRID = get_args(OffGrid)
BETWEEN = ("karras", "log_snr")
"""Time grids whose noise levels lie between those of the training chain."""


def load_benchmark(*files: Path | str, settings: Sequence[str] = ()) -> Benchmark:
    """Return the benchmark of a YAML file, or of several that are laid over each other.

    settings: texts KEY=VALUE, which are laid over all files. Raises: UserError naming file, key and what is allowed.
    """
    for file in files:
        require_default(file)
    source = " with ".join([*map(str, files), *(["--config"] if settings else [])])
    content = read_layers(files, settings, placed=lambda held, file: located(held, folder_of(file)))
    return parse_benchmark(content, source)


def parse_benchmark(content: Any, source: str) -> Benchmark:
    """Return the benchmark of a parsed file with absolute paths. source: its name in messages. Raises: UserError."""
    try:
        return _parse(content)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None


def _parse(content: Any) -> Benchmark:
    if not isinstance(content, Mapping):
        raise UserError(f"a benchmark is a map with the keys {', '.join(SECTIONS)}")
    for key in content:
        if key not in SECTIONS:
            raise UserError(f"unknown key '{key}'; {nearest(key, SECTIONS)}")
    for key in REQUIRED:
        if key not in content:
            raise UserError(f"'{key}' is missing")
    require_benchmark(content["benchmark"])

    dataset_name, dataset = chosen("datasets", content["dataset"], "dataset")
    models, grids, left_out = _models(content)
    given = _map(content, "classifiers") if "classifiers" in content else {}
    classifiers = {key: classifier_of(key, entry) for key, entry in given.items()}
    samplers = {key: sampler_of(key, entry, f"samplers.{key}") for key, entry in _map(content, "samplers").items()}
    protocols = {
        key: chosen("protocols", entry, f"protocols.{key}", default="classifier")
        for key, entry in _map(content, "protocols").items()
    }
    benchmark = Benchmark(
        name=content["benchmark"],
        dataset=dataset,
        dataset_name=dataset_name,
        models=models,
        samplers=samplers,
        protocols=protocols,
        runs=tuple(run_of(i, entry, grids) for i, entry in enumerate(_list(content, "runs"))),
        sampling=configure(Sampling, stated(content.get("sampling")), "sampling"),
        bound=configure(Bound, stated(content.get("bound")), "bound"),
        execution=configure(Execution, stated(content.get("execution")), "execution"),
        extractors=extractors_of(content, protocols),
        classifiers=classifiers,
        left_out=left_out,
        validation=validation_of(content.get("validation")),
        numerics=numerics_of(content.get("numerics")),
    )
    _check_random_crops(benchmark)
    check_guidance(benchmark)
    check_cascades(benchmark)
    check_runs(benchmark)
    check_checkpoints(benchmark)
    check_last_jobs(benchmark)
    check_validation(benchmark)
    check_numerics(benchmark)
    check_processes(benchmark)
    return benchmark


def _map(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = content[key]
    if not isinstance(value, Mapping) or not value:
        raise UserError(f"{key}: must be a map of named entries")
    require_names(value, key)
    return value


def _list(content: Mapping[str, Any], key: str) -> Sequence[Any]:
    if not isinstance(content[key], list) or not content[key]:
        raise UserError(f"{key}: must be a list of runs")
    return content[key]


def sampler_of(key: str, entry: Any, where: str) -> SamplerEntry:
    """Return a sampler's entry with its part; key: the sampler's name if the entry has none. Raises: UserError."""
    entry = stated(entry)
    if not isinstance(entry, Mapping):
        raise UserError(f"{where}: {entry!r} is not a map of options ({{}} for none)")
    options, left_out = with_file(entry, where)
    grid, off_grid = options.pop("spacing", "uniform"), options.pop("off_grid", "refuse")
    if not isinstance(grid, str) or not grid:
        raise UserError(
            f"{where}.spacing: {grid!r} is not a text; write uniform, 'karras rho=7', or sections '10,15,20'"
        )
    if off_grid not in OFF_GRID:
        raise UserError(f"{where}.off_grid: {off_grid!r} is not allowed; {nearest(off_grid, OFF_GRID)}")
    name, part = chosen("samplers", options, where, default=key)
    leaves_grid = part.leaves_grid
    if not callable(part):
        raise UserError(f"{where}: {name} has no __call__(self, denoiser, chain, x_T, noise)")
    found = SamplerEntry(name, part, grid, off_grid, left_out)
    if found.adaptive and "spacing" in entry:
        raise UserError(f"{where}.spacing: {name} chooses its own steps over all of the chain; leave it out")
    if off_grid == "refuse" and (leaves_grid or grid.startswith(BETWEEN)):
        asks = f"{name} asks for" if leaves_grid else f"spacing {grid} has"
        raise UserError(
            f"{where}: {asks} noise levels between those that a model is trained at; say which timestep stands for "
            "them: off_grid: interpolate (a fractional one) or off_grid: nearest"
        )
    return found


def resolved_models(entries: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the models' entries, each completed from the models that `base` and `of` name.

    Maps merge by key; lists and scalars replace. Raises: UserError for a base that does not exist and for a cycle.
    """

    def resolve(key: str, chain: tuple[str, ...]) -> dict[str, Any]:
        if key in chain:
            raise UserError(f"models.{chain[0]}: base goes in a circle ({' -> '.join((*chain, key))})")
        entry = stated(entries[key])
        if not isinstance(entry, Mapping):
            raise UserError(f"models.{key}: must be a map")
        if "of" in entry:
            return sampled_otherwise(key, entry, entries, SAMPLED_KEYS, lambda of: resolve(of, (*chain, key)))
        base = entry.get("base")
        if base is None:
            return dict(entry)
        if not isinstance(base, str) or base not in entries:
            raise UserError(f"models.{key}.base: no model '{base}'; {nearest(base, entries)}")
        own = {name: value for name, value in entry.items() if name != "base"}
        inherited = resolve(base, (*chain, key))
        if "of" in inherited:
            only_sampled(f"models.{key}", list(own), SAMPLED_KEYS)
        return merged(inherited, own)

    return {key: resolve(key, ()) for key in entries}


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return base with `over` laid on it: nested maps merge by key, everything else replaces.

    A map that names another part replaces the base's map, because the options of one part are not those of another. So
    does a dotted path over a map without a name, which means a part of the package. A name of the package is merged
    with it, since a super_resolution has the options of a unet.
    """
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        own = result[key].get("name") if both else None
        named = value.get("name", own) if both else None
        alike = both and (named == own or (own is None and "." not in str(named)))
        result[key] = merged(result[key], value) if alike else value
    return result


def _models(content: Mapping[str, Any]) -> tuple[dict[str, Model], dict[str, tuple[str, ...]], dict[str, str]]:
    """Return all models, the names of each grid's models, and why other combinations of a grid are left out."""
    entries, members = expanded(_map(content, "models"), _map(content, "grids") if "grids" in content else {})
    grid_of = {name: grid for grid, names in members.items() for name in names}
    models, left_out = {}, {}
    for key, entry in resolved_models(entries).items():
        where = f"grids.{grid_of[key]}: {key}" if key in grid_of else f"models.{key}"
        try:
            models[key] = _model(key, entry, where)
        except SenselessError as error:
            if key not in grid_of:
                raise
            left_out[key] = str(error).removeprefix(f"{where}: ")
    grids = {grid: tuple(name for name in names if name in models) for grid, names in members.items()}
    for grid, names in grids.items():
        if not names:
            raise UserError(f"grids.{grid}: no combination is left; {left_out[members[grid][0]]}")
    return models, grids, left_out


def _model(key: str, entry: dict[str, Any], where: str) -> Model:
    for name in entry:
        if name not in MODEL_KEYS:
            raise UserError(f"{where}: unknown key '{name}'; {nearest(name, MODEL_KEYS)}")
    entry, checkpoint = adopted(entry, where, DIFFUSION_KEYS)
    network_name, network = chosen("networks", entry.get("network"), f"{where}.network", default="unet")
    size, low_size = sizes_of(entry, network_name, network, where)
    if network.needs and not low_size:
        raise UserError(f"{where}.network: {network_name} needs {network.needs}; as a model, use unet")
    # Defaults are for models that are trained here. What a checkpoint does not record stays unknown.
    known = {key for key in ("objective", "training") if checkpoint is None or key in entry}
    objective_name, objective = "", None
    if "objective" in known:
        objective_name, objective = chosen("objectives", entry.get("objective", "simple"), f"{where}.objective")
    diffusion_options = {name: entry[name] for name in DIFFUSION_KEYS if name in entry}
    diffusion = configure(Diffusion, diffusion_options, where)
    training = None
    if "training" in known:
        training = configure(Training, stated(entry.get("training")), f"{where}.training")
    # Weights without a record may not be an average, so only their key can say so.
    default = "ema" if checkpoint is None or checkpoint.facts is not None else weights_under(checkpoint.key)
    weights = weights_of(entry, where, default)
    if objective is not None:
        check_combination(objective, objective_name, diffusion, where)
    guidance = guidance_of(entry, where)
    return Model(
        key,
        network,
        network_name,
        diffusion,
        objective,
        objective_name,
        training,
        weights,
        of=entry.get("of", key),
        guidance=guidance,
        labels=labels_of(entry, network, guidance, where) if low_size is None else None,
        size=size,
        low_size=low_size,
        low_res=low_res_of(entry, low_size, where),
        checkpoint=checkpoint,
    )


def _check_random_crops(benchmark: Benchmark) -> None:
    """Raise UserError if a training makes random crops and the data set has no picture files."""
    if benchmark.dataset.has_pictures:
        return
    entries = {f"models.{name}": model for name, model in benchmark.models.items()}
    entries |= {f"classifiers.{name}": classifier for name, classifier in benchmark.classifiers.items()}
    for where, entry in entries.items():
        if entry.checkpoint is None and entry.training.random_crop:
            raise UserError(
                f"{where}.training.random_crop: data set {benchmark.dataset_name} has no picture files to cut from; "
                "leave it out"
            )
