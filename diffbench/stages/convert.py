"""The stage convert: weights that others trained, written as training writes its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from diffbench.base.errors import UserError
from diffbench.base.inputs import Inputs, checked, upstream_of
from diffbench.base.names import weights_under
from diffbench.base.provenance import write_provenance
from diffbench.base.writing import replacing
from diffbench.jobs.convert import ConvertJob, GivenWeights
from diffbench.jobs.data_facts import DataFacts
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.networks._fit import check_fit
from diffbench.stages._command import run_stage, stage_parser
from diffbench.stages._foreign import read_held, unwrapped
from diffbench.stages._model import Architecture
from diffbench.stages._run_record import run_record


def convert(job: ConvertJob, checkpoint: Path, data: Path, out: Path, record: dict[str, Any] | None = None) -> None:
    """Write the weights of a checkpoint that has no record, with their provenance.

    data: prepared images of the data set that the checkpoint was trained on.
    Raises: UserError if the file cannot be read, or does not fit the network that the job describes.
    """
    upstream = upstream_of(job.upstream)
    inputs = checked({"checkpoint": checkpoint, "data": data}, foreign=("checkpoint",), upstream=upstream)
    facts = WeightsFacts.of(DataFacts.recorded(inputs.records["data"]), job.low_size)
    key, state = read_held(checkpoint, job.key)
    if job.key is None and job.weights == "raw" and weights_under(key) == "ema":
        raise UserError(f"{checkpoint}: holds an average, under '{key}'; say so in the model's entry: weights: ema")
    write_weights(job, state, checkpoint, out, inputs=inputs, facts=facts)
    if record is not None:
        record |= {"tensors": len(state)}


def write_weights(
    job: GivenWeights, state: Mapping[str, Tensor], source: Path, out: Path, *, inputs: Inputs, facts: WeightsFacts
) -> None:
    """Write `<weights>.<name>` tensors and their provenance, after a check of every name, shape and value.

    facts: of the data, as training records them. source: the file that messages name.
    Raises: UserError if a tensor does not fit; the file `out` is then not changed.
    """
    with torch.device("meta"):
        network = _built(job, facts)
    own = network.state_dict()
    state = unwrapped(state, own.keys())
    check_fit(network, state, source)
    tensors = {
        f"{job.weights}.{name}": _as_own(tensor, own[name], f"{source}: weight '{name}'")
        for name, tensor in state.items()
    }
    about = replace(facts, parameters=sum(parameter.numel() for parameter in network.parameters()))
    with replacing(out) as temporary:
        save_file(tensors, temporary)
    write_provenance(out, spec=job.as_json(), inputs=inputs, facts=about.as_json())


def _as_own(tensor: Tensor, own: Tensor, where: str) -> Tensor:
    """Return a file's tensor in the network's number type. Raises: UserError if it has values of another kind."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
        raise UserError(f"{where} is no plain tensor (sparse, quantised or without values); save it as one")
    if tensor.is_complex() or tensor.is_floating_point() != own.is_floating_point():
        raise UserError(f"{where} holds {str(tensor.dtype).removeprefix('torch.')}, and the network has {own.dtype}")
    try:
        found = tensor.to(own.dtype).contiguous().clone()
    except RuntimeError:
        raise UserError(f"{where} holds {tensor.dtype}, which cannot become {own.dtype} here") from None
    if not torch.isfinite(found).all():
        raise UserError(f"{where} has entries that are not finite; the file is damaged")
    return found


def _built(job: GivenWeights, facts: WeightsFacts) -> nn.Module:
    """Return the network of a job, which is a model or a classifier."""
    architecture = Architecture.of(job)
    return architecture.classifier(facts) if architecture.network.classifies else architecture.model(facts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__, ConvertJob.read)
    parser.add_argument("--checkpoint", type=Path, required=True, help="weights to read (.safetensors, .pt, ...)")
    parser.add_argument("--data", type=Path, required=True, help="prepared training images (.npz) of the same data set")
    parser.add_argument("--out", type=Path, required=True, help="weights to write (.safetensors)")
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="convert", out=str(given.out)) as record:
        convert(given.spec, given.checkpoint, given.data, given.out, record)


if __name__ == "__main__":
    run_stage(main)
