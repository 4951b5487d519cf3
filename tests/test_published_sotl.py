"""What the SoTL thesis prints, and its claims: numbers of the one must be those of the other."""

import pytest

from nasrepro.claims import read_claims
from nasrepro.published import read

SPOS = {"trainer": "SPOS", "space": "NAS-Bench-201", "truth": "CIFAR-10", "learning_rate": 0.01}


def printed(where: str, metric: str = "spearman", **wanted) -> float:
    rows = read("sotl_tables")
    wanted = {"where": f"table {where}", "metric": metric} | wanted
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return rows["value"].item()


def differences(where: str, metric: str, a: dict, b: dict) -> float:
    return printed(where, metric, **a) - printed(where, metric, **b)


def test_every_table_is_there_whole():
    rows = read("sotl_tables")
    counts = rows["where"].value_counts().to_dict()
    # 3 x 4 x 5 x 2; 1Shot1: 3 x 4 x 5 x 2, DARTS: 4 x 5 x 2; 2 x 2; 5 x 2 x 4; 7 x 7.
    assert counts == {
        "table 4.1": 120,
        "table 4.2": 160,
        "table 4.3": 4,
        "table 4.4": 40,
        "table 4.5": 49,
    }
    keys = ["where", "space", "truth", "trainer", "learning_rate", "estimator", "metric"]
    assert not rows.duplicated(keys).any()
    assert rows.loc[rows["metric"] != "top10", "value"].between(-0.13, 3.02).all()
    assert rows.loc[rows["metric"] == "top10", "value"].between(35, 94).all()


def test_spos_with_the_high_rate_is_printed_twice_alike():
    for metric in ("spearman", "top10"):
        of = SPOS | {"estimator": "SoTL"}
        assert printed("4.1", metric, **of) == printed("4.4", metric, **of)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        (
            "sotl-spos-valacc",
            differences(
                "4.1", "spearman", SPOS | {"estimator": "SoTL"}, SPOS | {"estimator": "ValAcc"}
            ),
        ),
        (
            "sotl-rate-top10",
            differences(
                "4.4",
                "top10",
                SPOS | {"estimator": "SoTL"},
                SPOS | {"estimator": "SoTL", "learning_rate": 0.001},
            ),
        ),
        (
            "sotl-sog-parameters",
            printed(
                "4.5",
                "spearman_parameters",
                space="NAS-Bench-201",
                truth="CIFAR-10",
                estimator="SoG",
            )
            - printed("4.5", **SPOS, estimator="SoG"),
        ),
        (
            "sotl-1shot1-2",
            differences(
                "4.2",
                "spearman",
                {"space": "NB101-2", "trainer": "SPOS", "estimator": "SoTL"},
                {"space": "NB101-2", "trainer": "SPOS", "estimator": "ValAcc"},
            ),
        ),
    ],
)
def test_what_a_claim_says_is_printed_follows_from_the_tables(claim, value):
    assert read_claims("sotl")[claim].printed == pytest.approx(value)


def test_how_often_sotl_is_better_is_counted_in_table_4_1():
    rows = read("sotl_tables").query("where == 'table 4.1'")
    names = ["truth", "trainer", "metric"]
    wide = rows.pivot(index=names, columns="estimator", values="value")
    better = (wide["SoTL"] > wide["ValAcc"]).groupby("metric").sum()
    known = read_claims("sotl")
    assert better["spearman"] == known["sotl-usually-best"].printed
    assert better["top10"] == known["sotl-often-best-top10"].printed


def test_text_and_table_differ_where_the_file_says_so():
    """Section 4.2.1 has SoTL as the best and steadiest for SPOS; table 4.1 does not."""
    rows = read("sotl_tables").query("where == 'table 4.1' and trainer == 'SPOS'")
    ranks = rows[rows["metric"] == "spearman"].pivot(
        index="truth", columns="estimator", values=["value", "deviation"]
    )
    best = ranks["value"].idxmax(axis=1).to_dict()
    assert best == {"CIFAR-10": "TLMini", "CIFAR-100": "TLMini", "ImageNet16-120": "ValAcc"}
    steady = ranks["deviation"]
    assert (steady["SoTL"] > steady["ValAcc"]).to_dict() == {
        "CIFAR-10": True,
        "CIFAR-100": False,
        "ImageNet16-120": False,
    }
