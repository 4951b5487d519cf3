"""The kinds of run there are, and where their records lie."""

from typing import Any

from nasrepro.paths import results_dirs
from nasrepro.runs import finetune, search, standalone, supernet, tuning
from nasrepro.runs.finetune import FinetuneConfig, run_finetune
from nasrepro.runs.record import Kind
from nasrepro.runs.search import SearchConfig, SearchEpoch, run_search
from nasrepro.runs.standalone import StandaloneConfig, StandaloneEpoch, run_standalone
from nasrepro.runs.store import Store
from nasrepro.runs.supernet import SupernetConfig, run
from nasrepro.runs.tuning import TuningConfig, TuningEpoch, run_tuning
from nasrepro.train import Epoch

SUPERNET = Kind("supernet", "records", SupernetConfig, Epoch, supernet.ARRAYS, run)
STANDALONE = Kind(
    name="stand-alone network",
    folder="standalone",
    config=StandaloneConfig,
    epoch=StandaloneEpoch,
    arrays=standalone.ARRAYS,
    compute=run_standalone,
)
FINETUNE = Kind("fine-tuning", "finetune", FinetuneConfig, Epoch, finetune.ARRAYS, run_finetune)
TUNING = Kind(
    name="training with a tuned rate",
    folder="tuning",
    config=TuningConfig,
    epoch=TuningEpoch,
    arrays=tuning.ARRAYS,
    compute=run_tuning,
)
SEARCH = Kind("search", "searches", SearchConfig, SearchEpoch, search.ARRAYS, run_search)
KINDS = (SUPERNET, STANDALONE, FINETUNE, TUNING, SEARCH)


def kind_of(config: Any) -> Kind:
    """The kind of run of a config."""
    return next(kind for kind in KINDS if isinstance(config, kind.config))


def trained_part(config: Any) -> str:
    """What a run trains of a search space: a cell or a subspace; nothing of a plain network."""
    of = getattr(config, "supernet", config)
    return str(getattr(of, "cell", None) or getattr(of, "subspace", ""))


def sampler_name(config: Any) -> str:
    """What draws the paths of a run's supernet; nothing where there is none."""
    return getattr(getattr(config, "supernet", config), "sampler", "")


def length_of(config: Any) -> str:
    """How long a run trains what it trains.

    >>> length_of(FinetuneConfig(SupernetConfig(), steps=300))
    '300 steps of each path'
    """
    if isinstance(config, FinetuneConfig):
        return f"{config.steps} steps of each path"
    return f"{config.train.epochs} epochs"


def store_of(kind: Kind) -> Store:
    """The store of the runs of one kind."""
    own, *behind = (folder / kind.folder for folder in results_dirs())
    return Store(own, kind, tuple(behind))
