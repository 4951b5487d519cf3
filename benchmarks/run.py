"""Measure, print, and write `bench.json`: python benchmarks/run.py [supernet] [...]

It goes to the results that commands write to; to the book's with NASREPRO_RESULTS=results.
Nothing else should be running. Rows of files that are not named stay as they are, those of a file
that cannot be measured, and those that were measured with other instructions of the processor, e.g.
with ATEN_CPU_CAPABILITY=avx2 and ONEDNN_MAX_CPU_ISA=AVX2.
"""

import importlib
import json
import os
import platform
import sys
from typing import Any

import torch

from nasrepro.errors import NasreproError
from nasrepro.paths import result, results_dir
from nasrepro.runs.machine import cpu_name, public_version
from nasrepro.runs.store import write_atomically
from nasrepro.train import multiplies_bfloat16

FILES = ("supernet", "precision", "search", "darts", "workers", "loading", "gpu")


def main(names: list[str]) -> None:
    """Run the named files, all if none is named."""
    if unknown := set(names) - set(FILES):
        sys.exit(f"unknown {', '.join(sorted(unknown))}; the files are {', '.join(FILES)}")
    torch.set_num_threads(1)
    known, path = result("bench.json"), results_dir() / "bench.json"
    rows = json.loads(known.read_text(encoding="utf-8")) if known.exists() else []
    here = [name for name in FILES if name != "gpu" or torch.cuda.is_available()]
    for name in names or here:
        measured = []
        for row in importlib.import_module(name).entries():
            print(
                f"{row['name']}: {row['way']} is {row['ratio']['median']} "
                f"[{row['ratio']['min']}, {row['ratio']['max']}] times as fast as {row['baseline']}"
            )
            measured.append({"file": name, **row, "machine": machine() | row.get("machine", {})})
        rows = [row for row in rows if (row["file"], _instructions(row)) != (name, instructions())]
        rows = sorted(rows + measured, key=lambda row: FILES.index(row["file"]))
        write_atomically(path, json.dumps(rows, indent=1) + "\n")
    print(f"wrote {path}")


def instructions() -> str:
    """Which of the processor's instructions are used."""
    bfloat16 = "with" if multiplies_bfloat16("cpu") else "without"
    return f"{torch.backends.cpu.get_cpu_capability()}, {bfloat16} bf16 products"


def _instructions(row: dict[str, Any]) -> str | None:
    return row["machine"].get("instructions")


def machine() -> dict[str, str | int | None]:
    """What the figures depend on."""
    return {
        "cpu": cpu_name(),
        "instructions": instructions(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": public_version("torch"),
        "nasrepro": public_version("nasrepro"),
    }


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except NasreproError as error:
        sys.exit(f"nasrepro: {error}")
