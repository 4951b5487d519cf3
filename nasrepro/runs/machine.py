"""The machine that computes a run: whether it has the device, and what a record says of it."""

import importlib.metadata
import platform
import resource
import sys
from pathlib import Path
from typing import Any

import torch

from nasrepro.errors import ConfigError
from nasrepro.train import multiplies_bfloat16


def check_device(device: str) -> None:
    """Raise a ConfigError unless this machine has the device."""
    try:
        torch.zeros(1, device=device).item()  # "meta" has no values
    except (RuntimeError, AssertionError, ImportError) as error:
        have = ["cpu"]
        have += ["cuda"] if torch.cuda.is_available() else []
        have += ["mps"] if torch.backends.mps.is_available() else []
        raise ConfigError(
            f"cannot compute on {device!r}; this machine has {', '.join(have)}"
        ) from error


def machine(device: str) -> dict[str, Any]:
    """The fields of `Measurement` that say where a run was computed, at its end."""
    return {
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        "threads": torch.get_num_threads(),
        "cpu": cpu_name(),
        "bfloat16": multiplies_bfloat16(torch.device(device).type),
        "versions": {
            "python": platform.python_version(),
            **{package: public_version(package) for package in ("nasrepro", "numpy", "torch")},
        },
    }


def public_version(package: str) -> str:
    """The version of an installed package, without what marks a build of it.

    Of one PyTorch there are 2.13.0, 2.13.0+cpu and 2.13.0+cu130, and where it comes from decides
    whether the package, torch itself or both say so. What they compute depends on the device.
    """
    return importlib.metadata.version(package).partition("+")[0]


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in units of 10^6 bytes.

    On Linux `execute` lets it start anew with each run.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return largest / 1e6 if sys.platform == "darwin" else largest * 1024 / 1e6
    # Not ru_maxrss: a new process inherits it from the one that started it.
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) * 1024 / 1e6


def cpu_name() -> str:
    """Model of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
