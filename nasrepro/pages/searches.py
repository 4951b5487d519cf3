"""What the pages of searches of all spaces show alike: means by setting, and where courses end."""

from collections.abc import Callable, Mapping

import pandas as pd

from nasrepro.pages.text import with_interval


def settings_table(rows: pd.DataFrame, shown: Mapping[str, tuple[str, int]]) -> pd.DataFrame:
    """One row a setting: n and the means of some metrics."""
    cells: dict[str, dict[str, str]] = {}
    for row in rows[rows["metric"].isin(shown)].to_dict("records"):
        head, digits = shown[row["metric"]]
        entry = cells.setdefault(row["setting"], {"n": "0"})
        entry["n"] = str(max(int(entry["n"]), row["n"]))
        entry[head] = with_interval(row["mean"], row["ci_low"], row["ci_high"], digits)
    table = pd.DataFrame.from_dict(cells, "index").rename_axis("setting").reset_index()
    heads = [head for head, _ in shown.values() if head in table]
    return table[["setting", "n", *heads]].fillna("–")


def at_the_end(value: str, what: str, digits: int) -> Callable[[pd.DataFrame], str]:
    """A sentence with the mean over seeds of a number after the last epoch, by setting.

    Args:
        value: the column with the number.
        what: it is.
        digits: after the point.
    """

    def finding(rows: pd.DataFrame) -> str:
        last = rows[rows["epoch"] == rows.groupby(["setting", "seed"])["epoch"].transform("max")]
        means = last.groupby("setting", sort=False)[value].mean()
        ends = "; ".join(f"{setting} {mean:.{digits}f}" for setting, mean in means.items())
        return f"{what} at the end, mean over seeds: {ends}."

    return finding
