"""The parts of the book's pages that code supplies."""

import json
import os

from nasrepro.data.sources import SOURCES
from nasrepro.pages import generated


def test_generated_tables_name_every_source_and_column():
    sources = generated.sources(SOURCES.values())
    assert all(name in sources for name in SOURCES)
    assert "`cifar10-test-200`" in generated.columns()
    assert "no study" in generated.notebooks({})


def test_counts_stand_beside_the_published_ones():
    text = generated.counts()
    assert (
        "| cells | 423,624 (Yu, table 2); about 423,000 (SoTL, section 3.2.1) | 423,624 |" in text
    )
    assert "| 1Shot1 space 2 encodings | 29,160 (SoTL, table 3.1) | 29,160 |" in text
    assert "| 1Shot1 space 2 without operations of loose ends | – | 16,632 |" in text
    assert r"A\_1 to A\_4 have 423,623 cells together" in text
    assert "one more: `output(0)`" in text


def test_measured_ratios_become_a_table_for_each_machine(tmp_path):
    row = {
        "name": "training",
        "what": "tiny",
        "baseline": "plain",
        "way": "fast",
        "ratio": {"median": 2.0, "min": 1.5, "max": 2.25},
        "turns": 3,
        "seconds": {"plain": 4.0, "fast": 2.0},
        "images": 5_000,
        "machine": {
            "cpu": "A",
            "instructions": "AVX2",
            "cores": 2,
            "threads": 1,
            "python": "3.11.7",
            "torch": "2.13.0",
        },
    }
    other = {**row, "machine": {**row["machine"], "cpu": "B"}}
    del other["images"]
    path = tmp_path / "bench.json"
    assert "make bench" in generated.ratios(path)
    path.write_text(json.dumps([row, other]))
    text = generated.ratios(path)
    assert "| training: tiny | plain | fast | 2.00 [1.50, 2.25] | 3 | 1,250; 2,500 |" in text
    assert "| training: tiny | plain | fast | 2.00 [1.50, 2.25] | 3 | 4 s; 2 s |" in text
    assert text.index("A (AVX2), 2 cores") < text.index("1,250") < text.index("B (AVX2), 2 cores")


def test_generated_files_are_only_written_when_they_change(tmp_path):
    texts = {"a.md": "a", "b.md": "b"}
    generated.write_changed(tmp_path / "new", texts)
    for name in texts:
        os.utime(tmp_path / "new" / name, ns=(0, 0))
    generated.write_changed(tmp_path / "new", texts | {"b.md": "other"})
    assert (tmp_path / "new" / "a.md").stat().st_mtime_ns == 0
    assert (tmp_path / "new" / "b.md").read_text() == "other"
