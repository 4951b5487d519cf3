"""Study 2 on NAS-Bench-101: how a path takes fewer channels than a vertex has (Yu 4.4 and C.2).

The more vertices are joined to a cell's output, the fewer channels each has. Where their number is
fixed, as in A_1 to A_4, all paths have equally many, but for one where they do not divide evenly:
dynamic channels are disabled. Such a subspace is compared with as many random cells of the whole
space, another part for each seed.
"""

from nasrepro.evaluate import EvaluateConfig
from nasrepro.nets.config import CellNetConfig
from nasrepro.runs.config import changed
from nasrepro.runs.parts import DataConfig, DrawnCells
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.spaces.nb101 import SUBSPACES, TITLE
from nasrepro.studies import appraisal
from nasrepro.studies.design import Factor
from nasrepro.train import TrainConfig

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

# Yu: table 5, but sampled uniformly, with fixed channels and so many images as in B.3, as where
# factors are compared (3).
YU = SupernetConfig(
    data=DataConfig("cifar10", train_images=45_000, validation_images=5_000),
    subspace=SUBSPACES["A_FULL"],
    net=CellNetConfig(channels=128, cells_per_stage=3, tracked_statistics=False),
    sampler="uniform",
    train=TrainConfig(
        epochs=400,
        batch_size=256,
        learning_rate=0.025,
        final_learning_rate=0.0,
        weight_decay=1e-3,
    ),
    evaluate=EvaluateConfig("batch"),
    cells=DrawnCells(),
)
# Zhang, table 2; the networks are the benchmark's, and so are Yu's.
ZHANG = changed(
    YU,
    {
        "net.tracked_statistics": True,
        "train.epochs": 1_000,
        "train.learning_rate": 0.1,
        "train.weight_decay": 1e-4,
        "train.gradient_clip": 5.0,
        "evaluate": EvaluateConfig("calibrated", batch_size=400, calibration_batches=25),
    },
)


def base(profile: str) -> SupernetConfig:
    """The baseline of a reduced profile: as study 1's of this space, but normalised as Yu's are.

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
