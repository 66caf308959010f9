"""What each job asks of a scheduler. A run on this machine reads only `gpu` and `processes`."""

import dataclasses
import functools

from diffbench.benchmark import jobs
from diffbench.benchmark.gpus import asks_for_gpu, device_of_jobs
from diffbench.benchmark.resources import Place, resources_of

GPU_MANUFACTURER = "nvidia"


def on_cluster():
    """Return whether jobs run elsewhere. Snakemake knows its executor only when it builds the graph of jobs."""
    return workflow.remote_exec or not workflow.local_exec


# A job's own Snakemake on a node of the cluster gives the device to the stage, so it is `remote_exec` that counts here.
DEVICE = device_of_jobs(bench.execution.device, on_cluster=workflow.remote_exec)


@functools.cache
def gpus_per_process():
    """Return how many GPUs each process of a job asks for: 0 or 1."""
    return int(asks_for_gpu(bench.execution.device, on_cluster=on_cluster()))


@functools.cache
def place():
    """Return what is known of the data. A job's own Snakemake does not need it, since the job has its resources."""
    if known is None:
        return Place(None, None, {}, on_gpu=bool(gpus_per_process()))
    return Place(known.image_shape, known.num_classes, known.num_images, on_gpu=bool(gpus_per_process()))


def size_of_model(name):
    """Return the height of a model's images; None if it is the data set's."""
    return bench.models[bench.variant(name).of].size


def asked(job_of, processes=None, num_images=lambda w: 0, size=lambda w: None):
    """Return the resources of a rule. Each argument is a function of wildcards.

    job_of: returns the job. processes: how many processes run a network; None if the job runs none. num_images, size:
    see `resources_of`. A retry gets more memory and time, because a job may have been ended for want of either.
    """

    kept = {}

    def of(w):
        key = tuple(w.items())
        if key not in kept:
            where = dataclasses.replace(place(), processes=processes(w) if processes else 1)
            kept[key] = resources_of(job_of(w), where, num_images=num_images(w), size=size(w))
        return kept[key]

    common = {
        "mem_mb": lambda w, attempt: of(w).mem_mb * attempt,
        "runtime": lambda w, attempt: of(w).runtime_minutes * attempt,
    }
    if processes is None:
        return common
    # torchrun starts the processes of a job, all on one node.
    return common | {
        "nodes": 1,
        "processes": processes,
        "gpu": lambda w: gpus_per_process() * processes(w),
        "gpu_manufacturer": GPU_MANUFACTURER,
    }
