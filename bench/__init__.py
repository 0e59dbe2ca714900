"""Benchmarks: our generators beside peers, speed and quality. Development only; never imported by the package.

One thread per run, so that CPU-seconds can be compared: the variables are set before any library reads them.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
