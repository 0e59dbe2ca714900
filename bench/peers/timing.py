"""Shared by the runners; imports nothing but the standard library and pandas of the peer's environment."""

import json
import resource
import sys
import time


def cpu():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def run(fit, sample):
    """Reads argv (train, synthetic, seed), calls ``fit(frame, seed)`` and ``sample(model, n)``, writes, prints the cost."""
    import pandas as pd

    frame = pd.read_parquet(sys.argv[1])
    start = cpu()
    model = fit(frame, int(sys.argv[3]))
    fitted = cpu()
    out = sample(model, len(frame))
    done = cpu()
    out.to_parquet(sys.argv[2])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps({"fit": fitted - start, "sample": done - fitted, "peak_mb": peak}))
