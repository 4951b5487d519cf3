"""Learning curves that others published, of networks trained from scratch: every epoch."""

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasrepro import sotl
from nasrepro.data.sources import SOURCES, fetch
from nasrepro.errors import ConfigError, DataError
from nasrepro.files import naming
from nasrepro.spaces.nb201 import Cell


@dataclass(frozen=True, eq=False)
class Learning:
    """The trainings of some networks of one space, in the words of `nasrepro.sotl`.

    Attributes:
        title: of the space and data set.
        trajectory: arrays by name, (networks, epochs).
        truth: what is ranked, more is better, (networks,).
        truth_is: what that is.
        codes: of NAS-Bench-201's cells, (networks,); none in other spaces.
    """

    title: str
    trajectory: Mapping[str, np.ndarray]
    truth: np.ndarray
    truth_is: str
    codes: np.ndarray | None = None

    def __post_init__(self) -> None:
        values = [*self.trajectory.values(), self.truth]
        if len({len(array) for array in values}) != 1 or not all(
            np.isfinite(array).all() for array in values
        ):
            raise DataError(f"{self.title}: expected finite numbers of the same networks")

    def __len__(self) -> int:
        return len(self.truth)


def read_naap(path: Path) -> Learning:
    """NAAP-440: 440 small networks on CIFAR-10, 90 epochs, with the test accuracy of each.

    There is no validation accuracy: the test accuracy on the way takes its place, which at the end
    is the truth itself.

    Raises:
        DataError: if it is not such a table.
    """
    import pandas as pd  # slow to import

    try:
        rows = pd.read_csv(path)
        epochs = range(1, 91)
        losses = rows[[f"e{epoch}LossMean" for epoch in epochs]].to_numpy(dtype=np.float64)
        accuracies = rows[[f"e{epoch}Accuracy" for epoch in epochs]].to_numpy(dtype=np.float64)
        parameters = rows[["NumParams"]].to_numpy(dtype=np.float64)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} is not the table of NAAP-440 ({error})") from None
    trajectory = {
        sotl.LOSS: losses,
        sotl.VALIDATION_ACCURACY: 100 * accuracies,
        sotl.PARAMETERS: parameters,
    }
    truth = 100 * accuracies[:, -1]
    return Learning("NAAP-440, CIFAR-10", trajectory, truth, "test accuracy after 90 epochs")


def read_nb201(path: Path) -> Learning:
    """Training and validation accuracy of 200 official cells of NAS-Bench-201 over 200 epochs.

    The mean of the benchmark's trainings on half of CIFAR-10's training images; without losses.

    Raises:
        DataError: if it is not such a table.
    """
    import pandas as pd

    try:
        rows = pd.read_csv(path)
        curves = {
            name: np.array([json.loads(text) for text in rows[column]], dtype=np.float64)
            for name, column in (
                (sotl.ACCURACY, "train_accs"),
                (sotl.VALIDATION_ACCURACY, "val_accs"),
            )
        }
        codes = np.array([Cell.parse(text).code for text in rows["arch_str"]], dtype=np.int64)
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise DataError(f"{path} is not a table of accuracies by epoch ({error})") from None
    truth = curves[sotl.VALIDATION_ACCURACY][:, -1]
    what = "validation accuracy after 200 epochs"
    return Learning("NAS-Bench-201, CIFAR-10", curves, truth, what, codes)


def read_ptb(path: Path) -> Learning:
    """NAS-Bench-NLP on PTB: the recurrent cells whose training of 50 epochs is complete.

    Raises:
        DataError: if it is not such a table.
    """
    import pandas as pd
    import pyarrow

    columns = ["num_params", "status", "train_losses", "val_losses", "test_losses"]
    try:
        rows = pd.read_parquet(path, columns=columns)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} is not a table of trainings on PTB ({error})") from None
    return _language("NAS-Bench-NLP, PTB", rows.to_dict("records"), str(path))


def read_wikitext(path: Path) -> Learning:
    """NAS-Bench-NLP on WikiText-2: a zip file of one JSON log for each training.

    Raises:
        DataError: if it is not such a file.
    """
    try:
        with zipfile.ZipFile(path) as logs:
            names = sorted(name for name in logs.namelist() if name.endswith(".json"))
            rows = [json.loads(logs.read(name)) for name in names]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not a file of logs ({error})") from None
    return _language("NAS-Bench-NLP, WikiText-2", rows, str(path))


LANGUAGE_EPOCHS = 50


def _language(title: str, rows: list, origin: str) -> Learning:
    """The complete trainings among logs: status OK, and a loss of every epoch."""
    try:
        kept = [r for r in rows if r["status"] == "OK" and len(r["val_losses"]) == LANGUAGE_EPOCHS]
        train, validation, test = (
            np.array([row[f"{part}_losses"] for row in kept], dtype=np.float64)
            for part in ("train", "val", "test")
        )
        parameters = np.array([[row["num_params"]] for row in kept], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{origin} is not a table of trainings ({error!r})") from None
    if not kept:
        raise DataError(f"{origin} has no complete training of {LANGUAGE_EPOCHS} epochs")
    trajectory = {
        sotl.LOSS: train,
        sotl.VALIDATION_LOSS: validation,
        sotl.PARAMETERS: parameters,
    }
    truth = f"test loss after {LANGUAGE_EPOCHS} epochs, negated"
    return Learning(title, trajectory, -test[:, -1], truth)


READERS: dict[str, Callable[[Path], Learning]] = {  # by the name of the source
    "nb201-curves": read_nb201,
    "naap-440": read_naap,
    "nlp-ptb": read_ptb,
    "nlp-wikitext": read_wikitext,
}
PRINTED = "tse-curves"  # of rank correlations


def load(name: str) -> Learning:
    """The curves of a source.

    Args:
        name: a key of `READERS`.

    Raises:
        DataError: if the file cannot be had, or is not as expected.
    """
    path = fetch(SOURCES[name])
    with naming(path):
        return READERS[name](path)


def load_printed() -> dict[tuple[str, str], np.ndarray]:
    """Rank correlations of epochs 1 to 200 that Ru et al. print as figures, digitised.

    Over 5,000 cells of NAS-Bench-201; between the points of a figure by straight lines, NaN where
    it has none. Whole epochs: a point belongs to the nearest one.

    Returns:
        By data set and estimator, shape (200,).

    Raises:
        DataError: if the file cannot be had, or is not as expected.
    """
    import pandas as pd

    path = fetch(SOURCES[PRINTED])
    try:
        rows = pd.read_csv(path)
        epochs = np.arange(1, 201)
        return {
            (str(key[0]), str(key[1])): np.interp(
                epochs, part["epoch"].round(), part["spearman"], left=np.nan, right=np.nan
            )
            for key, part in rows.sort_values("epoch").groupby(["dataset", "estimator"])
        }
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} is not a table of rank correlations ({error})") from None
