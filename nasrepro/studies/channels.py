"""Study 2 on NAS-Bench-101: how a path takes fewer channels than a vertex has (Yu 4.4 and C.2).

The more vertices are joined to a cell's output, the fewer channels each has. Where their number is
fixed, as in A_1 to A_4, all paths have equally many, but for one where they do not divide evenly:
dynamic channels are disabled. Such a subspace is compared with as many random cells of the whole
space, another part for each seed.
"""

from nasrepro.evaluate import EvaluateConfig
from nasrepro.runs.config import changed
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.spaces.nb101 import SUBSPACES, TITLE
from nasrepro.studies import appraisal
from nasrepro.studies.design import Factor

FIXED = "dynamic channels fixed"  # the first ones; the baseline
SHUFFLED, INTERPOLATED = "dynamic channels shuffle", "dynamic channels interpolate"
SIZES = {1: 120_933, 2: 201_441, 3: 90_782, 4: 10_467}  # cells of A_1 to A_4 (Yu, table 6)
RANDOM = {k: f"random cells, as many as in A_{k}" for k in SIZES}
DISABLED = {k: f"dynamic channels disable, A_{k}" for k in SIZES}

FACTORS = (
    Factor(INTERPOLATED, FIXED, "Yu 4.4", {"net.narrowing": "interpolated"}),
    Factor(SHUFFLED, FIXED, "Yu 4.4", {"net.narrowing": "shuffled"}),
    *(Factor(RANDOM[k], FIXED, "Yu C.2", {"trained_cells": size}) for k, size in SIZES.items()),
    *(
        Factor(DISABLED[k], RANDOM[k], "Yu C.2", {"subspace.outputs": k, "trained_cells": None})
        for k in SIZES
    ),
)
SETTINGS = (FIXED, *(factor.name for factor in FACTORS))
SPACE = TITLE


def base(profile: str) -> SupernetConfig:
    """The baseline of a profile: as study 1's of this space, but normalised as Yu's are.

    With the statistics of the batch, in training and in evaluation, in float32.
    """
    study_1, space = appraisal.PROFILES[profile].base, SUBSPACES["A_FULL"]
    changes = {
        "subspace": space,
        "net.tracked_statistics": False,
        "train.precision": "float32",
        "evaluate": EvaluateConfig("batch", batch_size=study_1.evaluate.batch_size),
        # A table may have a part of them only, and a correlation wants some.
        "cells.count": max(study_1.cells.at_most(space), 100),
    }
    return changed(study_1, changes)
