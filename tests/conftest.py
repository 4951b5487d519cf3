"""What every test shares."""

import os

# Before torch is imported: the networks here are so small that threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
