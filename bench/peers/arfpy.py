"""arfpy: adversarial random forest. It knows no missing values: median plus a flag column, undone after sampling."""

import sys

sys.path = [p for p in sys.path if not p.endswith("bench/peers")] + [sys.path[0]]  # this file has the package's name

import numpy as np  # noqa: E402
from arfpy import arf  # noqa: E402
from timing import run  # noqa: E402


def fit(frame, seed):
    np.random.seed(seed)  # noqa: NPY002 - arfpy draws from the global generator
    types, filled = dict(frame.dtypes), frame.copy()
    for c in frame.columns:
        gap = frame[c].isna()
        if frame[c].dtype == object or frame[c].nunique() <= 20:
            filled[c] = frame[c].astype(str).astype("category")
        elif gap.any():
            filled[c] = frame[c].fillna(frame[c].median())
            filled[c + "__gap"] = gap.astype(str).astype("category")
    model = arf.arf(x=filled, random_state=seed, verbose=False)
    model.forde()
    return model, types


def sample(fitted, n):
    model, types = fitted
    out = model.forge(n=n)
    for c, kind in types.items():
        text = kind.kind == "O"
        if not text and str(out[c].dtype) in ("object", "category"):
            out[c] = out[c].astype(str).replace("nan", np.nan).astype(float)
        elif text:
            out[c] = out[c].astype(str).replace({"nan": None, "None": None})
        if kind.kind == "i":
            out[c] = out[c].round().astype("int64")
        if c + "__gap" in out:
            out.loc[out[c + "__gap"].astype(str) == "True", c] = np.nan
    return out[list(types)]


run(fit, sample)
