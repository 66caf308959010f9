"""The command: it downloads or reads weights by others, checks them, and writes them as an artifact."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.names import weights_under
from diffbench.base.plugins import chosen, configure, nearest
from diffbench.base.user_path import user_path
from diffbench.benchmark.json_file import read_json_map
from diffbench.benchmark.written import DIFFUSION_KEYS
from diffbench.benchmark.yaml_file import read_yaml
from diffbench.commands.importing.diffusers_layout import diffusion_of, published_names, unet_of
from diffbench.commands.importing.download import download
from diffbench.commands.importing.released import REGISTRY, Released, released
from diffbench.commands.published_flags import published_diffusion, published_part
from diffbench.diffusion.denoiser import Diffusion
from diffbench.jobs.convert import GivenWeights
from diffbench.jobs.job import OMITTED, Options
from diffbench.jobs.model import NetworkPart, Weights
from diffbench.jobs.train import ObjectivePart
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.stages._foreign import read_held, read_state
from diffbench.stages.convert import write_weights

FOLDER = Path("checkpoints")
"""The default folder of imported weights."""

SAME = "is_the_published_file"
"""The key in a record's source that is true or false if the file's published sha256 is known."""

AVERAGE = "unet_ema"
"""The folder in which diffusers' training scripts keep the average of a network's weights."""

DIFFUSERS_WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")


@dataclass(frozen=True)
class Data:
    """The keys of a YAML of flags that describe the data and the file of weights.

    shape: height, width and channels of the images. num_classes: of the data; null without labels. low_size: the height
    of the images that an upsampler starts from. weights: an average (ema) or the last weights (raw); null means what
    the file says. key: the entry of the file that holds the tensors, if the file holds more.
    """

    shape: tuple[int, int, int] | None = None
    num_classes: int | None = None
    levels: int = 256
    low_size: int | None = None
    weights: Weights | None = None
    key: str | None = None

    def __post_init__(self):
        sizes = (*(self.shape or ()), self.num_classes or 1, self.low_size or 1)
        if min(sizes) < 1 or self.levels < 2:
            raise ValueError("shape, num_classes and low_size are positive, and levels at least 2")


@dataclass(frozen=True, kw_only=True)
class Imported(GivenWeights):
    """The spec in the record of imported weights. objective: that of their training, if it is known."""

    stages: ClassVar[tuple[str, ...]] = ()

    objective: ObjectivePart | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """The meaning of a file's weights.

    weights: ema or raw; None if only the file can say which. facts: of the data, as training records them. key: the
    entry of the file that holds the weights.
    """

    network: NetworkPart
    diffusion: Options
    weights: Weights | None
    objective: ObjectivePart | None = None
    facts: WeightsFacts
    key: str | None = None

    def imported(self, weights: Weights) -> Imported:
        """Return the spec for the record of the weights. weights: used if the meaning does not say ema or raw."""
        return Imported(
            network=self.network,
            diffusion=self.diffusion,
            weights=self.weights or weights,
            low_size=self.facts.low_size,
            objective=self.objective,
        )


def import_checkpoint(
    source: str,
    *,
    out: Path | None = None,
    name: str | None = None,
    spec_file: Path | None = None,
    cache: Path = Path(".cache"),
) -> Path:
    """Write weights as safetensors with their provenance, and return the file.

    source: the name of a released file, which is downloaded, or a file, or a folder in diffusers' layout. name: the
    released file whose flags a file has. spec_file: a YAML of flags.
    Raises: UserError; the file `out` is then not changed.
    """
    path = user_path(source)
    if name is not None and spec_file is not None:
        raise UserError("--as and --spec: both say what the weights mean; give one")
    if path.is_dir():
        if name is not None:
            raise UserError(f"--as: {path} is a folder in diffusers' layout, which describes itself; leave it out")
        return _import_folder(path, spec_file, out or FOLDER / f"{path.resolve().name}.safetensors")
    if path.is_file():
        meaning = _meaning_of_file(path, name, spec_file)
        return _write(meaning, path, out or FOLDER / f"{path.stem}.safetensors")
    named = path.name == source and (not path.suffix or path.stem in REGISTRY)
    if name is not None or spec_file is not None or not named:
        raise UserError(f"{path}: no such file or folder; `diffbench import --list` prints the released names")
    entry = released(source)
    file = cache / "released" / entry.file
    if not file.is_file():
        download(entry.url, file, otherwise=f"`diffbench import {entry.file} --as {entry.name}`")
    if entry.sha256 is not None and sha256(file) != entry.sha256:
        file.unlink()
        raise UserError(f"{entry.url}: not the published bytes (sha256 is not {entry.sha256}); download it again")
    target = _write(_of_file(entry, file), file, out or FOLDER / f"{entry.name}.safetensors")
    file.unlink()
    return target


def _write(meaning: Meaning, file: Path, out: Path) -> Path:
    key, state = read_held(file, meaning.key)
    inputs = checked({"checkpoint": file}, foreign=["checkpoint"])
    # Weights are recorded as an average only if somebody says so.
    write_weights(meaning.imported(weights_under(key)), state, file, out, inputs=inputs, facts=meaning.facts)
    return out


def meaning_of_released(entry: Released) -> Meaning:
    """Return the meaning of a published file's weights."""
    network_name, network = published_part(entry.kind, entry.flags, entry.size)
    source = {
        "name": entry.name,
        "url": entry.url,
        "family": entry.family,
        "data": entry.data,
        "class_order": entry.class_order,
        "flags": dict(entry.flags),
    }
    return Meaning(
        network=NetworkPart.of(network, network_name),
        diffusion=dataclasses.asdict(published_diffusion(entry.kind, entry.flags)),
        # Averages were published, except for classifiers, which have none.
        weights="raw" if entry.kind == "classifier" else "ema",
        objective=None if entry.objective is None else _objective(entry.objective, entry.name),
        facts=WeightsFacts(
            shape=(entry.size, entry.size, 3),
            levels=256,
            num_classes=entry.num_classes,
            low_size=entry.low_size,
            source=source,
        ),
    )


def _objective(entry: Any, where: str) -> ObjectivePart:
    name, objective = chosen("objectives", entry, where)
    return ObjectivePart.of(objective, name)


def _of_file(entry: Released, file: Path) -> Meaning:
    """Return the meaning of a file with published flags. Its source says whether it is the published file."""
    meaning = meaning_of_released(entry)
    same = "unknown sha256" if entry.sha256 is None else sha256(file) == entry.sha256
    source = {**(meaning.facts.source or {}), SAME: same}
    return dataclasses.replace(meaning, facts=dataclasses.replace(meaning.facts, source=source))


def _meaning_of_file(path: Path, name: str | None, spec_file: Path | None) -> Meaning:
    if name is not None:
        return _of_file(released(name), path)
    if spec_file is not None:
        return meaning_of_yaml(spec_file)
    like = f"--as {path.stem}" if path.stem in REGISTRY else "--as NAME (see --list)"
    raise UserError(f"{path}: weights do not say what they mean; add {like} or --spec FILE.yaml")


def _read_yaml(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    if not isinstance(content, Mapping):
        raise UserError(f"{path}: must be a map")
    allowed = ("network", "objective", *DIFFUSION_KEYS, *(field.name for field in dataclasses.fields(Data)))
    for key in content:
        if key not in allowed:
            raise UserError(f"{path}: unknown key '{key}'; {nearest(key, allowed)}")
    return dict(content)


def _data_of(content: Mapping[str, Any], where: str) -> Data:
    keys = [field.name for field in dataclasses.fields(Data) if field.name in content]
    return configure(Data, {key: content[key] for key in keys}, where)


def meaning_of_yaml(path: Path) -> Meaning:
    """Return the meaning in a YAML of flags: a model's or classifier's entry, and the kind of its data.

    Raises: UserError naming file, key and what is allowed.
    """
    content, where = _read_yaml(path), str(path)
    network_name, network = chosen("networks", content.get("network"), f"{where}: network", default="unet")
    data = _data_of(content, where)
    if data.shape is None:
        raise UserError(f"{where}: 'shape' is missing; write [height, width, channels] of the images")
    if network.upsamples != (data.low_size is not None):
        raise UserError(f"{where}: low_size goes with network super_resolution, and only with it")
    process = {key: content[key] for key in DIFFUSION_KEYS if key in content}
    return Meaning(
        network=NetworkPart.of(network, network_name),
        diffusion=dataclasses.asdict(configure(Diffusion, process, where)),
        weights=data.weights,
        objective=_objective(content["objective"], f"{where}: objective") if "objective" in content else None,
        facts=WeightsFacts(shape=data.shape, levels=data.levels, num_classes=data.num_classes, low_size=data.low_size),
        key=data.key,
    )


def _import_folder(folder: Path, spec_file: Path | None, out: Path) -> Path:
    """Write the weights of a folder with a UNet2DModel's config.json and weights, and perhaps its scheduler's file."""
    given = {} if spec_file is None else _read_yaml(spec_file)
    data = _data_of(given, str(spec_file))
    own = _network_folder(folder, data.weights)
    config_file = own / "config.json"
    settings, shape = unet_of(read_json_map(config_file), config_file)
    for key in ("network", "shape", "low_size", "key"):
        if key in given:
            raise UserError(f"{spec_file}: {key}: {config_file} says that; leave it out")
    files = {"config": config_file}
    asked = {key: given[key] for key in DIFFUSION_KEYS if key in given}
    schedulers = (folder / "scheduler_config.json", folder / "scheduler" / "scheduler_config.json")
    scheduler = next((file for file in schedulers if file.is_file()), None)
    if scheduler is not None:
        files["scheduler"] = scheduler
        diffusion = diffusion_of(read_json_map(scheduler), scheduler)
        for key, value in asked.items():
            if getattr(diffusion, key) != value:
                raise UserError(f"{spec_file}: {key} {value}, and {scheduler} says {getattr(diffusion, key)}")
    elif asked:
        diffusion = configure(Diffusion, asked, str(spec_file))
    else:
        raise UserError(f"{folder}: no scheduler_config.json; say schedule, timesteps and variance in --spec FILE.yaml")
    weights = next((own / name for name in DIFFUSERS_WEIGHTS if (own / name).is_file()), None)
    if weights is None:
        raise UserError(f"{own}: neither {' nor '.join(DIFFUSERS_WEIGHTS)}")
    job = Imported(
        network=NetworkPart.of(settings, "unet"),
        diffusion=dataclasses.asdict(diffusion),
        weights=data.weights or _weights_in(own),
    )
    state = published_names(read_state(weights), settings, weights)
    embedded = state.get("label_emb.weight")
    num_classes = data.num_classes if embedded is None else (*embedded.shape, 0)[0]
    facts = WeightsFacts(shape=shape, levels=data.levels, num_classes=num_classes)
    files["checkpoint"] = weights
    write_weights(job, state, weights, out, inputs=checked(files, foreign=list(files)), facts=facts)
    return out


def _network_folder(folder: Path, weights: str | None) -> Path:
    """Return the folder of the network in a folder of diffusers: the average's, unless raw weights are asked for.

    weights: as in Data. Raises: UserError if the folder does not have the weights that are asked for.
    """
    # A pipeline has folders for network and scheduler. Training scripts add one for the average.
    raw, average = folder / "unet", folder / AVERAGE
    if average.is_dir() and (weights != "raw" or not raw.is_dir()):
        if weights == "raw":
            raise UserError(f"{folder}: weights: raw, and it holds the average alone ({AVERAGE})")
        return average
    own = raw if raw.is_dir() else folder
    if weights == "ema" and own.resolve().name == "unet" and (own.resolve().parent / AVERAGE).is_dir():
        raise UserError(f"{own}: weights: ema, and these are the last ones; import {own.resolve().parent / AVERAGE}")
    if weights == "raw" and own.resolve().name == AVERAGE:
        raise UserError(f"{own}: weights: raw, and this is the average")
    return own


def _weights_in(own: Path) -> Weights:
    """Return which weights a network's folder holds, by file names: diffusers marks weights that are no average."""
    marked = any(own.glob("diffusion_pytorch_model.non_ema.*"))
    return "ema" if marked or own.resolve().name == AVERAGE else "raw"
