"""The device on which networks run, and the settings of this process with which they run there."""

import os
import platform
import sys
from typing import Any

import torch

from diffbench.base.errors import UserError
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics

NATIVE_BF16 = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
"""The functions of torch.cpu that say whether an x86 processor multiplies bfloat16 itself."""


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


def prepare(numerics: Numerics, threads: int, device: torch.device) -> None:
    """Fix the thread count of this process, and choose its kernels as a job asks.

    Without `deterministic`, cuDNN tries several kernels and keeps the fastest, which may be another one in each run.
    Raises: UserError if the number of threads is not positive, or the device lacks the precision.
    """
    if threads < 1:
        raise UserError(f"threads must be positive, not {threads}")
    _require_precision(numerics, device)
    tf32, deterministic = numerics.precision == "tf32", numerics.deterministic
    # cuBLAS reads this when its first handle is made.
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    # Deterministic mode would also fill every new tensor, against reads of unwritten memory, at 3 % of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32


def _require_precision(numerics: Numerics, device: torch.device) -> None:
    """Raise UserError if a device lacks the precision. Says on stderr where it has it, but is slow at it."""
    if numerics.precision == "tf32" and device.type != "cuda":
        raise UserError(
            "precision tf32: is a way of NVIDIA GPUs to multiply, and this job runs on the CPU; choose float32"
        )
    if numerics.precision != "bf16":
        return
    if device.type == "cuda":
        if not torch.cuda.is_bf16_supported(including_emulation=False):
            name = torch.cuda.get_device_name(device)
            raise UserError(f"precision bf16: {name} does not multiply bfloat16; choose float32, or tf32 if it has it")
    elif emulates_bf16():
        sys.stderr.write(
            "diffbench: precision bf16: this CPU has neither AVX-512 BF16 nor AMX, so it is slower than float32\n"
        )


def emulates_bf16() -> bool:
    """Return whether this is an x86 processor that multiplies bfloat16 by way of float32, which takes longer."""
    checks = [getattr(torch.cpu, name, None) for name in NATIVE_BF16]
    return platform.machine().lower() in ("x86_64", "amd64") and not any(check() for check in checks if check)


def device_facts(device: torch.device, numerics: Numerics = DEFAULT_NUMERICS) -> dict[str, Any]:
    """Return the facts of how an artifact was computed, for its provenance.

    They are the kind of device, the precision, the other choices that are not the default, and the GPU's name or the
    CPU's capability.
    """
    facts = {"device": device.type, "precision": numerics.precision, **numerics.changed()}
    if device.type == "cuda":
        return facts | {"device_name": torch.cuda.get_device_name(device)}
    return facts | {"cpu_capability": torch.backends.cpu.get_cpu_capability()}
