"""Study 1's supernets of NAS-Bench-201, subspace by subspace (Laube section 4.1)."""

from dataclasses import dataclass, replace
from itertools import combinations
from typing import cast

from nasrepro.benchmarks import selfmade
from nasrepro.evaluate import EvaluateConfig
from nasrepro.nets.config import MEDIUM, SMALL, WIDE, NetConfig
from nasrepro.runs.bench import BENCHES
from nasrepro.runs.parts import CellsConfig, DataConfig
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.spaces.nb201 import OPERATIONS, Subspace
from nasrepro.studies.design import Design, labelled
from nasrepro.train import PRECISIONS, TrainConfig

TABLE, COLUMN = "nb201-200epochs", "cifar10-test-200"
# Figure 4's left column: everything, and each operation masked on its own.
FULL, NO_ZERO, NO_SKIP, NO_POOL = (
    Subspace(),
    *map(Subspace.without, ("none", "skip_connect", "avg_pool_3x3")),
)
SINGLES = (FULL, *(Subspace.without(operation) for operation in OPERATIONS))
# Its other columns and figure 7's: two operations masked together.
DOUBLES = tuple(Subspace.without(*pair) for pair in combinations(OPERATIONS, 2))
NEITHER = Subspace.without("none", "avg_pool_3x3")
DIGITS = BENCHES["nb201-digits"]
OWN = BENCHES[selfmade.NAME]
GROUPS = {
    "full": (Subspace(),),
    "singles": SINGLES,
    "doubles": DOUBLES,
    "digits": (DIGITS.subspace,),
}


@dataclass(frozen=True)
class Profile:
    """How large the study runs: numbers only."""

    base: SupernetConfig  # what all runs share
    nets: dict[str, NetConfig]  # size -> network
    seeds: dict[tuple[str, str], int]  # (size, key of `GROUPS`) -> number of seeds
    table: str = TABLE  # the truth
    column: str = COLUMN
    precision_seeds: int = 0  # small supernets of the full space, evaluated in both precisions


CELLS = CellsConfig(random=1_000, top=500, table=TABLE, column=COLUMN)
CPU_DATA = DataConfig("cifar10", train_images=25_000, validation_images=1_000, size=16)
CPU_SMALL = NetConfig(channels=16, cells_per_stage=1, tracked_statistics=False)
CPU_TRAIN = TrainConfig(
    epochs=56,
    batch_size=128,
    learning_rate=0.05,
    weight_decay=3e-3,  # with this batch size Yu's choice for this space (table 5)
    crop_padding=2,
    precision="bfloat16",
)
CPU_EVALUATE = EvaluateConfig("batch", batch_size=250, precision="bfloat16")

PROFILES = {
    "smoke": Profile(
        base=SupernetConfig(
            data=DataConfig("digits", train_images=300, validation_images=100, size=8),
            train=TrainConfig(epochs=1, batch_size=30, crop_padding=1),
            evaluate=EvaluateConfig("batch", batch_size=100),
            cells=CellsConfig(random=20),
        ),
        nets={"S": NetConfig(channels=4, cells_per_stage=1, tracked_statistics=False)},
        seeds={("S", "singles"): 2},
    ),
    "cpu": Profile(
        base=SupernetConfig(
            data=CPU_DATA,
            train=CPU_TRAIN,
            evaluate=CPU_EVALUATE,
            cells=CELLS,
        ),
        nets={"S": CPU_SMALL, "M": replace(CPU_SMALL, cells_per_stage=2)},
        seeds={("S", "singles"): 5, ("S", "doubles"): 3, ("M", "singles"): 3},
        precision_seeds=2,
    ),
    "paper": Profile(
        base=SupernetConfig(
            data=DataConfig("cifar10", train_images=45_000, validation_images=5_000),
            evaluate=EvaluateConfig("batch"),
            cells=CELLS,
        ),
        nets={
            size: replace(net, tracked_statistics=False)
            for size, net in {"S": SMALL, "M": MEDIUM, "W": WIDE}.items()
        },
        seeds={(size, group): 5 for size in ("S", "M", "W") for group in ("singles", "doubles")},
    ),
    # What "cpu" is to the published table, to our own: it needs none.
    "own": Profile(
        base=SupernetConfig(data=CPU_DATA, train=CPU_TRAIN, evaluate=CPU_EVALUATE),
        nets={"S": CPU_SMALL},
        seeds={("S", "full"): 3},
        table=OWN.name,
        column="cifar10-test-10",
    ),
    "digits": Profile(
        base=SupernetConfig(
            data=DIGITS.data,
            train=replace(DIGITS.train, epochs=60),
            evaluate=EvaluateConfig("batch", batch_size=250),
            cells=CellsConfig(),
        ),
        nets={"S": replace(cast(NetConfig, DIGITS.net), tracked_statistics=False)},
        seeds={("S", "digits"): 3},
        table=DIGITS.name,
        column="digits-test-10",
    ),
}


def nb201_design(profile: str, seeds: int | None = None) -> Design:
    """The runs of `design` on NAS-Bench-201, labelled by subspace and size of the network."""
    chosen = PROFILES[profile]
    return labelled(
        (
            replace(chosen.base, subspace=subspace, net=chosen.nets[size], seed=seed),
            {"subspace": str(subspace), "size": size},
        )
        for (size, group), count in chosen.seeds.items()
        for seed in range(count if seeds is None else min(count, seeds))
        for subspace in GROUPS[group]
    )


def precision_pairs(
    profile: str, seeds: int | None = None
) -> list[tuple[SupernetConfig, SupernetConfig]]:
    """Runs whose supernet is the same, evaluated in half and in single precision.

    Some runs of `nb201_design`, and such with more images to validate on and fewer cells.
    """
    small = {"subspace": str(FULL), "size": "S"}
    few = [
        config
        for config, labels in nb201_design(profile, seeds).items()
        if labels == small and config.seed < PROFILES[profile].precision_seeds
    ]
    many = [
        replace(
            config,
            data=replace(config.data, validation_images=10_000),
            cells=CellsConfig(random=500),
        )
        for config in few
    ]
    return [
        (config, replace(config, evaluate=replace(config.evaluate, precision="float32")))
        for config in few + many
    ]


def precision_design(profile: str, seeds: int | None = None) -> Design:
    """The runs of `precision_pairs` that `nb201_design` has not."""
    known = nb201_design(profile, seeds)
    return labelled(
        (config, {"images": str(config.data.validation_images), "precision": precision})
        for pair in precision_pairs(profile, seeds)
        for config, precision in zip(pair, PRECISIONS[::-1], strict=True)
        if config not in known
    )
