"""Checks whether weights fit a network, and names the first tensor that differs and the setting that is probably why.

Settings that change no shape (heads, attention order, time embedding, padding, eps, schedule, T) cannot be seen here.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from diffbench.base.errors import UserError

Shapes = Mapping[str, tuple[int, ...]]


def load_fitting(network: nn.Module, weights: Mapping[str, Tensor], source: object) -> None:
    """Give a network its weights, all of them and nothing else. Raises: UserError, as `check_fit`."""
    check_fit(network, weights, source)
    network.load_state_dict(dict(weights))


def check_fit(network: nn.Module, weights: Mapping[str, Tensor], source: object) -> None:
    """Raise UserError, naming the first tensor that differs and the probable setting, if weights do not fit."""
    own = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if not own.keys() & given.keys():
        raise UserError(
            f"{source}: does not fit the network: none of its names is the network's: the file has {_some(given)}, "
            f"the network {_some(own)}{_choice(given, own)}{probable_cause(given, own)}"
        )
    # The order is the network's, not alphabetical, because the first difference is nearest to the cause.
    for name in [*own, *(name for name in given if name not in own)]:
        if name not in given:
            difference = f"no weight '{name}' in the file"
        elif name not in own:
            difference = f"weight '{name}' has no place in the network"
        elif own[name] != given[name]:
            difference = f"weight '{name}' is {given[name]} in the file and {own[name]} in the network"
        else:
            continue
        raise UserError(f"{source}: does not fit the network: {difference}{probable_cause(given, own)}")


def _choice(given: Shapes, own: Shapes) -> str:
    """Return the beginnings that a file puts before the network's names, if it has these names several times."""
    first = next(iter(own), "")
    before = [name.removesuffix(f".{first}") for name in given if name.endswith(f".{first}")]
    return f"; say which with 'key': {', '.join(before)}" if before else ""


def _some(shapes: Shapes) -> str:
    """Return the first names as text for a message."""
    return ", ".join(f"'{name[:80]}'" for name in [*shapes][:3]) + (", ..." if len(shapes) > 3 else "")


def probable_cause(given: Shapes, own: Shapes) -> str:
    """Return the settings in which a file's weights and a network's differ, as the end of a message."""
    theirs, ours = architecture(given), architecture(own)
    if not theirs:
        return "; its names are not a U-Net's" if ours else ""
    different = [key for key in ours if key in theirs and theirs[key] != ours[key]]
    if "network" in different:
        different = ["network"]
    words = [f"{key} ({_spoken(theirs[key])} in the file, {_spoken(ours[key])} in the network)" for key in different]
    return f"; probably {' and '.join(words)}" if words else ""


def _spoken(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_spoken, value)) + "]"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else f"{value}"


def architecture(shapes: Shapes) -> dict[str, Any]:
    """Return the settings of a U-Net, or of a noisy classifier, that can be read from the shapes of its weights.

    Attention is given as the factors by which its feature maps are smaller than the image. Other networks give nothing.
    """
    stem, time = shapes.get("input_blocks.0.0.weight", ()), shapes.get("time_embed.0.weight", ())
    if len(stem) != 4 or len(time) != 2:
        return {}
    channels = time[1]
    is_unet = any(name.startswith("output_blocks.") for name in shapes)
    found: dict[str, Any] = {"network": "unet" if is_unet else "noisy_classifier", "channels": channels}
    found["channels of the images (an upsampler's count twice)"] = stem[1]
    found["class_conditional"] = "label_emb.weight" in shapes
    first = "input_blocks.1.0."
    if f"{first}emb_layers.1.weight" in shapes and f"{first}out_layers.3.weight" in shapes:
        embedded, width = (shapes[f"{first}{layer}.weight"][0] for layer in ("emb_layers.1", "out_layers.3"))
        found["scale_shift"] = embedded == 2 * width
    # A network with one resolution has no resampling layers.
    resampled = [name for name in shapes if name.endswith(".0.op.weight")]
    found["residual_resampling"] = not resampled
    found |= _resolutions(shapes, channels, is_unet, resampled)
    if found["class_conditional"]:
        found["num_classes"] = shapes["label_emb.weight"][0]
    if is_unet and "out.2.weight" in shapes:
        found["variance (learned: twice the images' channels)"] = shapes["out.2.weight"][0]
    if not is_unet:
        found |= _head(shapes)
    return found


def _resolutions(shapes: Shapes, channels: int, is_unet: bool, resampled: list[str]) -> dict[str, Any]:
    """Return blocks, multipliers and attention by resolution; if these cannot be told, the widths of all blocks."""
    indices = sorted({int(name.split(".")[1]) for name in shapes if name.startswith("input_blocks.")})
    per_level = _blocks_per_resolution(shapes, indices, is_unet, resampled)
    widths = {i: shapes[name][0] for i in indices if (name := f"input_blocks.{i}.0.out_layers.3.weight") in shapes}
    attended = [i for i in indices if f"input_blocks.{i}.1.qkv.weight" in shapes]
    if per_level is None:
        # The number of blocks comes first, because it tells two depths apart.
        return {
            "residual_blocks or channel_multipliers": (len(indices), *widths.values()),
            "attention_resolutions": tuple(attended),
        }
    firsts = [i for i in widths if (i - 1) % (per_level + 1) == 0]
    factors = {2 ** ((i - 1) // (per_level + 1)) for i in attended}
    return {
        "residual_blocks": per_level,
        "channel_multipliers": tuple(round(widths[i] / channels, 3) for i in firsts),
        "attention_resolutions": tuple(f"1/{factor}" for factor in sorted(factors)),
    }


def _blocks_per_resolution(shapes: Shapes, indices: list[int], is_unet: bool, resampled: list[str]) -> int | None:
    """Return the residual blocks of a resolution, which follow from the place of the first change of resolution."""
    if resampled:
        return min(int(name.split(".")[1]) for name in resampled) - 1
    if not is_unet:
        return None
    outputs = sorted({int(name.split(".")[1]) for name in shapes if name.startswith("output_blocks.")})
    for i in outputs:
        ends = (f"output_blocks.{i}.{layer}.in_layers.2.weight" for layer in (1, 2))
        if any(name in shapes for name in ends):
            return i
    return len(outputs) - 1


def _head(shapes: Shapes) -> dict[str, Any]:
    """Return what can be read from a classifier's last layers."""
    position = shapes.get("out.2.positional_embedding")
    if position is not None:
        side = int((position[1] - 1) ** 0.5)
        classes = shapes.get("out.2.c_proj.weight", (None,))[0]
        return {"pool": "attention", "size of the last feature map": side, "num_classes": classes}
    if len(shapes.get("out.0.weight", ())) == 2:
        return {"pool": "spatial", "num_classes": shapes.get("out.2.weight", (None,))[0]}
    return {"pool": "adaptive", "num_classes": shapes.get("out.3.weight", (None,))[0]}
