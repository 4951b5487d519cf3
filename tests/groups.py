"""Groups of runs for tests of statistics: drawn ones, and Student's own."""

from hypothesis import settings
from hypothesis import strategies as st

quick = settings(deadline=None, max_examples=60)
groups = st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=8)

# Extra hours of sleep under two drugs, ten patients (Student 1908); the intervals of the
# differences are those printed for R's data set `sleep`.
DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
