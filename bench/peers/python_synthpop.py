"""python-synthpop: sequential CART with its defaults."""

import numpy as np
from synthpop import CARTMethod, DataProcessor, MissingDataHandler
from timing import run


def fit(frame, seed):
    np.random.seed(seed)  # noqa: NPY002 - it draws from the global generator
    handler = MissingDataHandler()
    meta = handler.get_column_dtypes(frame)
    types = dict(frame.dtypes)
    for c in frame.columns:
        if frame[c].dtype == object:
            frame[c] = frame[c].fillna("<NA>")
        else:
            frame[c] = frame[c].fillna(frame[c].median())
    processor = DataProcessor(meta)
    ready = processor.preprocess(frame)
    model = CARTMethod(meta, smoothing=False, proper=False, minibucket=5, random_state=seed)
    model.fit(ready)
    return model, processor, types


def sample(fitted, n):
    model, processor, types = fitted
    out = processor.postprocess(model.sample(n))
    for c, kind in types.items():
        if kind.kind == "O":
            out[c] = out[c].replace("<NA>", None)
        else:
            out[c] = out[c].astype(float).round() if kind.kind == "i" else out[c].astype(float)
    return out[list(types)]


run(fit, sample)
