"""The stage sample: a sample set of a model."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diffbench.base.arrays import Bytes, writing_npz
from diffbench.base.devices import chosen_device, device_facts, prepare
from diffbench.base.errors import UserError
from diffbench.base.images import ROUNDINGS
from diffbench.base.inputs import Inputs, checked, upstream_of
from diffbench.base.memory import enough_memory
from diffbench.base.progress import progress
from diffbench.base.provenance import write_provenance
from diffbench.base.world import ALONE, World, exclusive_to, joined
from diffbench.base.writing import replacing
from diffbench.diffusion.micro_batches import Index, micro_batches
from diffbench.jobs.sample import SampleJob
from diffbench.jobs.sample_facts import SampleFacts, cost_of
from diffbench.samplers._batches import sample_batch
from diffbench.samplers._contract import State
from diffbench.stages._command import add_device, stage_parser
from diffbench.stages._costs import flops
from diffbench.stages._drawing import Drawing, drawing_of
from diffbench.stages._fitting import fitting
from diffbench.stages._ranks import run_of, run_ranks
from diffbench.stages._shards import Shards, shard_folder

WAY_OUT = "lower sampling.micro_batch, on which the last bits of samples depend"
"""What a user can do if a micro-batch needs too much memory."""


def sample_set(
    job: SampleJob,
    weights: Path,
    out: Path,
    *,
    device: str = "auto",
    classifier: Path | None = None,
    low_res: Path | None = None,
    terms: Path | None = None,
    cache: Path = Path(".cache"),
    world: World = ALONE,
    record: dict[str, Any] | None = None,
) -> None:
    """Write a sample set (`arr_0`, uint8 NHWC) and its provenance.

    classifier: the weights that guidance needs. low_res: the images that an upsampler starts from, image k from the
    k-th. terms: of the model's bound, which samplers that need the error of x_0 take it from.
    A labelled set has the labels that were asked for as `arr_1`, an upsampled one those of its images.
    Finished micro-batches wait in `cache`, where a job that is cut off and started again finds them.
    world: the processes that share the micro-batches, of which each calls this function, and the first writes.
    Raises: UserError.
    """
    if (job.classifier is not None) != (classifier is not None):
        raise UserError("--classifier: goes with a spec whose guidance has a classifier, and only with it")
    given = {"weights": weights, "classifier": classifier, "low_res": low_res, "terms": terms}
    inputs = checked(given, upstream=upstream_of(job.upstream))
    chosen = chosen_device(device, world.device_number)
    prepare(job.numerics, job.threads, chosen)
    with exclusive_to(world, shard_folder(cache, job, inputs, device_facts(chosen, job.numerics))) as folder:
        drawing = drawing_of(job, inputs, chosen)
        at_once = micro_batch_of(drawing, job, folder, world)
        shards = Shards(folder, list(micro_batches(torch.arange(job.num_images), at_once)))
        _draw(drawing, shards, job, world)
        world.barrier()
        if not world.leads:
            return
        _write_set(drawing, shards, job, out)
        facts = _facts(drawing, shards, job, inputs)
        write_provenance(
            out, spec=job.as_json(), inputs=inputs, facts=facts.as_json() | device_facts(chosen, job.numerics)
        )
        shutil.rmtree(folder, ignore_errors=True)
    if record is not None:
        record |= {"num_images": job.num_images, "image_steps": len(drawing.chain) * job.num_images}
        record |= {"device": chosen.type}


def micro_batch_of(drawing: Drawing, job: SampleJob, folder: Path, world: World) -> int:
    """Return how many images the network evaluates at once: what the job says, or what fits into memory.

    What fits is kept in the folder of the shards, so that a job that goes on takes as many.
    """
    if not job.sampling.fit_memory:
        return job.sampling.micro_batch
    kept, found = folder / "micro_batch.json", 0
    if world.leads:

        def tried(size: int, on_step: Callable[[], object]) -> None:
            images_of(drawing, torch.arange(size), rounding=job.sampling.rounding, on_step=on_step)

        found = json.loads(kept.read_text()) if kept.is_file() else fitting(tried, job.sampling.micro_batch)
        with replacing(kept) as temporary:
            temporary.write_text(json.dumps(found))
    return world.told(found)


def _draw(drawing: Drawing, shards: Shards, job: SampleJob, world: World) -> None:
    """Sample this process's share of the micro-batches that are not finished yet."""
    # The first process looks for all, since another one may look when the first micro-batches are finished.
    pending = world.told(shards.pending() if world.leads else [])
    steps, done, own = len(drawing.chain), len(shards.batches) - len(pending), world.share(pending)
    name = f"sample {job.sampler.name} {job.spacing}"
    way_out = WAY_OUT if job.sampling.fit_memory else f"{WAY_OUT}, or set sampling.fit_memory: true"
    with (
        enough_memory(f"{len(shards.batches[0][1])} images at once", way_out),
        progress((done + len(own)) * steps, name, initial=done * steps) as bar,
    ):
        for place, index in own:
            images = images_of(drawing, index, rounding=job.sampling.rounding, on_step=bar.update)
            count = place.stop - place.start
            shards.save(place, images[:count], drawing.meter.spent(count, len(index)))


def images_of(drawing: Drawing, index: Index, *, rounding: str, on_step: Callable[[], object]) -> Bytes:
    """Return the images of one micro-batch, padding included, and leave its cost with the drawing's meter.

    index: of the images, as many as a micro-batch has. rounding: the rule by which floats become bytes. on_step: called
    after each step.
    """

    def stepped(state: State) -> None:
        on_step()
        drawing.meter.step(state)

    drawing.meter.start()
    x = sample_batch(
        drawing.sampler,
        drawing.meter,
        drawing.chain,
        index=index,
        shape=drawing.facts.image_shape,
        seed=drawing.seed,
        conditions=drawing.wanted,
        device=drawing.device,
        on_step=stepped,
    )
    return ROUNDINGS[rounding](x)


def _write_set(drawing: Drawing, shards: Shards, job: SampleJob, out: Path) -> None:
    """Write the images of all micro-batches as one set, with their labels if they have any."""
    labels = None if drawing.wanted is None else drawing.wanted.labels
    with writing_npz(out) as writer:
        with writer.member("arr_0", (job.num_images, *drawing.facts.shape), np.uint8) as images:
            for batch in shards.images():
                images.write(batch)
        if labels is not None:
            writer.add("arr_1", labels(torch.arange(job.num_images)).numpy())


def _facts(drawing: Drawing, shards: Shards, job: SampleJob, inputs: Inputs) -> SampleFacts:
    """Return the facts of a set: its cost, with the cost of the set that it was upsampled from, and its full size."""
    meter, spent, known, at_once = drawing.meter, shards.spent(), drawing.facts, len(shards.batches[0][1])
    evaluated, classified = (rows / (len(shards.batches) * at_once) for rows in (spent.rows, spent.classified))
    low_res, guided = inputs.records.get("low_res"), meter.gradient is not None
    own, gradient = flops(meter, known, drawing.device, drawing.takes_labels)
    return SampleFacts(
        nfe=float(spent.nfe.mean()),
        nfe_max=float(spent.nfe.max()) if meter.adaptive else None,
        nfe_evaluated=evaluated if meter.adaptive else None,
        flops_per_evaluation=own,
        classifier_evaluations=classified if guided else None,
        flops_per_classifier_evaluation=gradient,
        low_res=None if low_res is None else cost_of(low_res),
        full_size=known.full_size,
        micro_batch=at_once if job.sampling.fit_memory else None,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__, SampleJob.read)
    parser.add_argument("--weights", type=Path, required=True, help="a trained model (.safetensors)")
    parser.add_argument("--classifier", type=Path, help="a trained noisy classifier, if the guidance needs one")
    parser.add_argument("--low-res", type=Path, help="the images that an upsampler starts from (.npz)")
    parser.add_argument("--terms", type=Path, help="the model's bound, where the sampler needs the error of x_0 (.npz)")
    parser.add_argument("--out", type=Path, required=True, help="the sample set to write (.npz)")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="where finished micro-batches wait")
    add_device(parser)
    given = parser.parse_args(arguments)
    world = joined()
    with run_of(world, given, "sample") as record:
        sample_set(
            given.spec,
            given.weights,
            given.out,
            device=given.device,
            classifier=given.classifier,
            low_res=given.low_res,
            terms=given.terms,
            cache=given.cache,
            world=world,
            record=record,
        )


if __name__ == "__main__":
    run_ranks(main)
