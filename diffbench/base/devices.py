"""The device on which networks run, and the settings that make a run on it repeatable."""

import os

import torch

from diffbench.base.errors import UserError


def chosen_device(name: str, number: int | None = None) -> torch.device:
    """Return the device for auto, cpu or cuda. number: which of the CUDA devices it is; None for the default one.

    Raises: UserError for another name, cuda without CUDA, or a CUDA device that is not there.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UserError(f"--device {name}: is not allowed; allowed: auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: this machine has no usable CUDA device; use --device auto or cpu")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    if number is None:
        return torch.device("cuda")
    if number >= torch.cuda.device_count():
        raise UserError(
            f"LOCAL_RANK {number}: this machine has {torch.cuda.device_count()} CUDA devices, numbered from 0; "
            "start one process for each of them"
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def make_deterministic(threads: int) -> None:
    """Fix the thread count and choose repeatable kernels: no TF32, no autotuning, deterministic variants only.

    Raises: UserError if the number of threads is not positive.
    """
    if threads < 1:
        raise UserError(f"threads must be positive, not {threads}")
    # cuBLAS reads this when its first handle is made.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Deterministic mode would also fill every new tensor, against reads of unwritten memory, at 3 % of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def device_facts(device: torch.device) -> dict[str, str]:
    """Return the device's facts for an artifact's provenance: kind, precision, and the GPU's name or CPU capability."""
    facts = {"device": device.type, "precision": "float32"}
    if device.type == "cuda":
        return facts | {"device_name": torch.cuda.get_device_name(device)}
    return facts | {"cpu_capability": torch.backends.cpu.get_cpu_capability()}
