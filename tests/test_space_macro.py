"""The NAS-Bench-Macro space: its notation, its codes, and which networks are one."""

import numpy as np
import pytest

from nasrepro.errors import ConfigError
from nasrepro.spaces import counts
from nasrepro.spaces.macro import (
    LABELS,
    NUM_CELLS,
    OPERATIONS,
    Cell,
    canonical,
    check_codes,
    neighbours,
    uses_only,
)


def test_every_network_survives_its_string_and_its_code():
    networks = [Cell.from_code(code) for code in range(NUM_CELLS)]
    assert [network.code for network in networks] == list(range(6_561))
    assert [Cell.parse(str(network)) for network in networks] == networks
    assert len(set(networks)) == 6_561


def test_notation_lists_the_blocks_from_the_first():
    network = Cell.parse("20000001")
    assert network.operations == ("mb6_k5", *["identity"] * 6, "mb3_k3")
    assert network.code == 2 * 3**7 + 1
    assert LABELS.keys() == set(OPERATIONS)


def test_identities_move_to_the_end_of_their_stage_but_not_from_its_start():
    moved = {"01001002": "01010020", "10201012": "10210012"}
    for text, expected in moved.items():
        assert str(canonical(Cell.parse(text))) == expected
    # a stage's first block has 3 choices; the others are 1 + 2 or 1 + 2 + 4 orders without gaps
    assert dict(counts("macro")) == {"networks": 6_561, "unique": 3 * 3 * (3 * 7) ** 2}


def test_which_networks_use_only_some_operations():
    codes = np.arange(NUM_CELLS)
    assert uses_only(codes, ("identity", "mb6_k5")).sum() == 2**8
    assert uses_only(np.array([0, 1]), ("identity",)).tolist() == [True, False]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Cell.parse("0120120"), "'0120120': expected 8 digits 0, 1 or 2"),
        (lambda: Cell.parse("01201203"), "'01201203': expected 8 digits"),
        (lambda: Cell.parse(None), "expected the text of a cell, found None"),
        (lambda: Cell.parse(1_201_201), "expected the text of a cell, found 1201201"),
        (lambda: Cell(("identity",) * 7), "has 8 operations, found 7"),
        (lambda: Cell(("none",) * 8), "unknown operation 'none'; the operations are identity"),
        (lambda: Cell.from_code(6_561), r"lies in 0\.\.6560, found 6561"),
        (lambda: check_codes(np.array([3, -1])), r"lies in 0\.\.6560, found -1"),
        (lambda: uses_only(np.array([3]), ("skip",)), "unknown operation 'skip'"),
    ],
)
def test_impossible_networks_are_refused(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


def test_blanks_around_a_text_do_not_matter():
    assert Cell.parse(" 02012100\r\n") == Cell.parse("02012100")


def test_neighbours_differ_in_one_block_and_see_each_other():
    network = Cell.parse("02012100")
    around = neighbours(network)
    assert len(set(around)) == 16 and network not in around
    for other in around:
        assert sum(a != b for a, b in zip(str(network), str(other), strict=True)) == 1
        assert network in neighbours(other)
