"""Rank cells of NAS-Bench-201 in some minutes of one CPU core, by the protocols of study 2.

>>> for minutes, recipe in RECIPES.items():
...     print(minutes, recipe.training)
1 balanced, batch 64
3 balanced
10 balanced
"""

import pandas as pd

from nasrepro.errors import ConfigError, NasreproError
from nasrepro.nets.nb201 import count_parameters
from nasrepro.runs.execute import execute
from nasrepro.runs.kinds import SUPERNET, store_of
from nasrepro.runs.record import Record
from nasrepro.runs.setup import check_inputs
from nasrepro.spaces.nb201 import Cell
from nasrepro.studies.measure import proxies
from nasrepro.studies.protocols import BALANCED, Protocol, members, scores

# By minutes: what `protocols.best` chooses from the stored runs of that time, once all are stored,
# as those of one minute are; until then a first guess, from single runs that are not stored.
RECIPES = {
    1: Protocol(1, "balanced, batch 64", 1, "cross-entropy and parameters"),
    3: Protocol(3, BALANCED, 1, "cross-entropy and parameters"),
    10: Protocol(10, BALANCED, 1, "cross-entropy and parameters"),
}


def rank(
    minutes: int,
    seed: int = 0,
    workers: int = 0,
    device: str = "cpu",
    progress: bool = True,
    profile: str = "cpu",
) -> pd.DataFrame:
    """Train what a recipe says, unless it is stored, and rank the cells that it evaluates.

    Args:
        minutes: of one core, a key of `RECIPES`; more or less of them on another machine.
        seed: another one gives other supernets of the same cells.
        workers: local processes, one supernet each; 0: in this one.
        device: where to compute, e.g. "cpu", "cuda".
        progress: whether to show it.
        profile: "cpu", or "smoke" for the same with small pictures of digits.

    Returns:
        One row a cell, best first: rank (from 1; equal scores share their mean), cell,
        cross_entropy and accuracy (percent) on held-out images, both means over the supernets,
        parameters.

    Raises:
        ConfigError: if there is no recipe for so many minutes, or device or seed do not fit.
        DataError: if the images are not available.
    """
    if minutes not in RECIPES:
        raise ConfigError(
            f"there are recipes for {', '.join(map(str, RECIPES))} minutes, found {minutes}"
        )
    if seed < 0:
        raise ConfigError(f"a seed is a whole number from 0, found {seed}")
    recipe = RECIPES[minutes]
    configs = members(recipe, profile, seed)
    check_inputs(configs, device)
    store = store_of(SUPERNET)
    records = execute(configs, SUPERNET.compute, store, workers, device, progress)
    return ranking(records, recipe.score)


def ranking(records: list[Record], score: str) -> pd.DataFrame:
    """What `rank` returns, from the records of its supernets; NasreproError if one diverged."""
    if lost := [record.config.seed for record in records if record.status == "diverged"]:
        raise NasreproError(
            f"the supernet of seed {lost[0]} diverged and ranks nothing; take another seed"
        )
    seen = pd.concat([proxies(record) for record in records]).groupby("code").mean()
    by_score = scores(records, score)
    rows = pd.DataFrame(
        {
            "rank": by_score.rank(ascending=False),
            "cell": [str(Cell.from_code(int(code))) for code in seen.index],
            "cross_entropy": seen["loss"],
            "accuracy": seen["proxy"],
            "parameters": count_parameters(seen.index.to_numpy()),
        }
    )
    return rows.sort_values("rank", kind="stable").reset_index(drop=True)
