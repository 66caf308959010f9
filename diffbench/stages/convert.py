"""convert: weights that others trained and what they mean in; the weights of a model, as training writes them, out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from diffbench.base.artifacts import Inputs, checked, replacing, run_record, upstream_of, write_provenance
from diffbench.base.command import run_stage, stage_parser
from diffbench.base.errors import UserError
from diffbench.networks._fit import check_fit
from diffbench.stages._foreign import read_state
from diffbench.stages._model import build_classifier, build_network, part_of


def convert(
    spec: dict[str, Any], checkpoint: Path, data: Path, out: Path, record: dict[str, Any] | None = None
) -> None:
    """Write the weights of a checkpoint that says nothing of itself, with their provenance; data: what it was made for.

    Raises: UserError where the file cannot be read, or does not fit the network that the spec describes.
    """
    inputs = checked({"checkpoint": checkpoint, "data": data}, foreign=("checkpoint",), upstream=upstream_of(spec))
    known = inputs.records["data"]["facts"]
    facts = {key: known[key] for key in ("shape", "levels", "num_classes", "flip")}
    facts |= {key: source[key] for source, key in ((spec, "low_size"), (known, "full_size")) if key in source}
    state = read_state(checkpoint, spec.get("key"))
    write_weights(spec, state, checkpoint, out, inputs=inputs, facts=facts)
    if record is not None:
        record |= {"tensors": len(state)}


def write_weights(
    spec: Mapping[str, Any],
    state: Mapping[str, Tensor],
    source: Path,
    out: Path,
    *,
    inputs: Inputs,
    facts: Mapping[str, Any],
) -> None:
    """Write `<weights>.<name>` tensors and their provenance, after a check of every name, shape and value.

    spec: network, diffusion and weights (ema or raw). facts: of the data, as training records them. source: for
    messages. Raises: UserError; what stood at `out` then stays.
    """
    with torch.device("meta"):
        network = _built(spec, facts)
    check_fit(network, state, source)
    own = network.state_dict()
    tensors = {}
    for name, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise UserError(f"{source}: weight '{name}' has entries that are not finite; the file is damaged")
        tensors[f"{spec['weights']}.{name}"] = tensor.to(own[name].dtype).contiguous().clone()
    about = dict(facts) | {"parameters": sum(parameter.numel() for parameter in network.parameters())}
    with replacing(out) as temporary:
        save_file(tensors, temporary)
    write_provenance(out, spec=spec, inputs=inputs, facts=about)


def _built(spec: Mapping[str, Any], facts: Mapping[str, Any]) -> nn.Module:
    """Return the network of a spec, a model's or a classifier's."""
    classifies = getattr(type(part_of("networks", spec["network"])), "classifies", False)
    return build_classifier(spec, facts) if classifies else build_network(spec, facts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="weights to read (.safetensors, .pt, ...)")
    parser.add_argument("--data", type=Path, required=True, help="prepared training images (.npz) of the same data set")
    parser.add_argument("--out", type=Path, required=True, help="weights to write (.safetensors)")
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="convert", out=str(given.out)) as record:
        convert(given.spec, given.checkpoint, given.data, given.out, record)


if __name__ == "__main__":
    run_stage(main)
