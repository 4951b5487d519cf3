"""TFRecord files, read without TensorFlow.

A record is its length (8 bytes), the checksum of these bytes, the content, and its checksum, all
little-endian. A checksum is CRC-32C (Castagnoli), rotated by 15 bits plus a constant.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from nasrepro.errors import DataError

_LENGTH = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")


def read_records(path: Path) -> Iterator[tuple[int, bytes]]:
    """The records of a file, one after the other, each checked; with a progress bar.

    Yields:
        Where a record begins, in bytes from the start of the file, and its content.

    Raises:
        DataError: if the file cannot be read, ends within a record, or a checksum is wrong; it
            names the place. Also if the package `google-crc32c` is missing.
    """
    try:
        from google_crc32c import value as crc32c
    except ImportError:
        raise DataError(f"to read {path}, pip install google-crc32c") from None

    def masked(content: bytes) -> int:
        crc = crc32c(content)
        return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF

    try:
        with (
            path.open("rb") as file,
            tqdm(
                total=path.stat().st_size, desc=path.name, unit="B", unit_scale=True, disable=None
            ) as progress,
        ):
            offset = 0
            while header := file.read(_LENGTH.size):
                _check(len(header) == _LENGTH.size, path, offset, "the file ends within it")
                length, checksum = _LENGTH.unpack(header)
                intact = masked(header[:8]) == checksum
                _check(intact, path, offset, "its length has another checksum")
                content = file.read(length)
                footer = file.read(_CHECKSUM.size)
                _check(len(footer) == _CHECKSUM.size, path, offset, "the file ends within it")
                intact = _CHECKSUM.unpack(footer) == (masked(content),)
                _check(intact, path, offset, "its content has another checksum")
                yield offset, content
                size = _LENGTH.size + length + _CHECKSUM.size
                offset += size
                progress.update(size)
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror})") from None


def _check(condition: bool, path: Path, offset: int, problem: str) -> None:
    if not condition:
        raise DataError(
            f"{path}: the record at byte {offset:,} is damaged, {problem}; download the file again"
        )
