"""How far long work is: what is done, what is left, when it ends."""

import sys
import time
from datetime import datetime, timedelta

from tqdm import tqdm

LINES = 10  # at most, where no terminal shows a bar


class Progress:
    """A bar on a terminal; elsewhere, e.g. in a log, a line for each tenth of the work."""

    def __init__(self, total: int, unit: str, shown: bool = True) -> None:
        """Begin.

        Args:
            total: how much there is to do.
            unit: of what, in the plural.
            shown: on standard error; False for none at all.
        """
        self.total, self.unit, self.shown, self.done = total, unit, shown, 0
        self._start = time.monotonic()
        # disable=None: no bar unless standard error is a terminal.
        self._bar = tqdm(
            total=total,
            desc=self._line(""),
            bar_format="{percentage:3.0f}%|{bar:20}| {desc}",
            disable=None if shown else True,
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def update(self, done: int, note: str) -> None:
        """Show that so much is done now, and a note."""
        before, self.done = self.done, done
        line = self._line(note)
        if not self._bar.disable:
            self._bar.set_description_str(line, refresh=False)
            self._bar.update(done - before)
        elif self.shown and done * LINES // self.total > before * LINES // self.total:
            print(line, file=sys.stderr, flush=True)

    def _line(self, note: str) -> str:
        seconds = time.monotonic() - self._start
        return said(self.done, self.total, self.unit, seconds, datetime.now()) + (
            note and f"; {note}"
        )


def said(done: int, total: int, unit: str, seconds: float, now: datetime) -> str:
    """How far work is, and when it ends if what is left takes as long as what is done.

    Args:
        done: of the work.
        total: all of it.
        unit: of what, in the plural.
        seconds: that it took so far.
        now: the time.

    >>> said(10, 40, "runs", 600, datetime(2026, 1, 31, 23, 45))
    '10 of 40 runs, about 30 min left, until Sun 00:15'
    >>> said(0, 40, "runs", 5, datetime(2026, 1, 31))
    '0 of 40 runs'
    """
    text = f"{done} of {total} {unit}"
    if not 0 < done < total:
        return text
    left = timedelta(seconds=seconds / done * (total - done))
    return f"{text}, about {duration(left.total_seconds())} left, until {now + left:%a %H:%M}"


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(7_530), duration(600), duration(20)
    ('2 h 6 min', '10 min', '20 s')
    """
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if seconds >= 60 else f"{seconds:.0f} s"
