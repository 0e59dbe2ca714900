"""The fidelity columns of every benchmark table: one definition for us and for peers.

A column counts as numeric if its train dtype is numeric and it has more than 20 distinct train values;
everything else is categorical. A missing value is a level (categorical) or a bin (numeric) of its own.

  tvd1        mean total variation distance of all 1-way marginals (numerics, to 6 significant digits, cut at 20
              quantiles of train)
  tvd2        mean total variation distance of all 2-way marginals (same bins)
  hellinger   Hellinger distance of two zero-mean Gaussians whose correlation matrices are those of the rank-normal
              scores (categories coded by train frequency; shrinkage 1e-3 keeps singular tables finite)
  tstr_hgb/lr AUROC on the hold-out, gradient boosting / logistic regression fitted on synthetic rows
  prop_auc    5-fold boosting AUROC, train against synthetic (0.5 best; below 0.5 = an artefact of redrawn train values)
  nearer      share of synthetic rows nearer to a train sample than to an equally large hold-out sample (0.5 best)
  copies      share of synthetic rows equal to a train row in all columns

These are deliberately not the package's own metrics: a benchmark that shares code with what it measures shares its faults.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from scipy.stats import norm, rankdata

SEED = 0
N_BINS = 20
CAP_FIT, CAP_PROPENSITY, CAP_NEAREST_REFERENCE, CAP_NEAREST_QUERY = 50_000, 15_000, 10_000, 4_000
Marks = Mapping[str, np.ndarray]


def evaluate(train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame, *, target: str, positive: str) -> dict[str, float]:
    """All columns for one release. ``positive`` is the target's positive level as text. Raises KeyError where synthetic lacks a column."""
    a, h, s = (_pandas(f.select(train.columns)) for f in (train, holdout, synthetic))
    numeric = [c for c in a if pd.api.types.is_numeric_dtype(a[c]) and a[c].nunique() > 20]
    marks_a, marks_s, sizes = _marks(a, s, numeric)
    one, two = _marginals(marks_a, marks_s, sizes)
    coder = Encoder(a, numeric)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "tvd1": one,
            "tvd2": two,
            "hellinger": _hellinger(_scores(a, numeric, marks_a), _scores(s, numeric, marks_s)),
            "tstr_hgb": _auroc(coder, s, h, (target, positive), "hgb"),
            "tstr_lr": _auroc(coder, s, h, (target, positive), "lr"),
            "prop_auc": _propensity(coder, a, s),
            "nearer": _nearer(coder, a, h, s),
            "copies": _copies(a, s, numeric),
        }


def spell(column: pd.Series) -> pd.Series:
    """One spelling per value, so that 1, 1.0 and "1" compare equal."""
    text = column.astype("object").map(lambda v: "<NA>" if v is None or v is pd.NA else str(v)).to_numpy(str)
    distinct, inverse = np.unique(text, return_inverse=True)
    return pd.Series(np.array([_spell_one(v) for v in distinct], dtype=object)[inverse], index=column.index)


def significant(values: Any, digits: int = 6) -> np.ndarray:
    """Rounded to significant digits, so that a float32 round trip is not a difference."""
    v = np.asarray(values, dtype="float64")
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = np.where((v == 0) | ~np.isfinite(v), 0, np.floor(np.log10(np.abs(v)))) - (digits - 1)
        return np.where(np.isfinite(v), np.round(v / 10.0**exponent) * 10.0**exponent, np.nan)


class Encoder:
    """One encoding, fitted on train, for every model-based figure."""

    def __init__(self, train: pd.DataFrame, numeric: Sequence[str], most_levels: int = 40) -> None:
        self.numeric = list(numeric)
        self.categories = [c for c in train if c not in set(numeric)]
        self.levels = {c: spell(train[c]).value_counts().index[:most_levels].tolist() for c in self.categories}
        self.median = {c: float(train[c].median()) for c in numeric}
        self.low = {c: float(train[c].quantile(0.005)) for c in numeric}
        self.high = {c: float(train[c].quantile(0.995)) for c in numeric}

    def tree(self, frame: pd.DataFrame, skip: str = "") -> np.ndarray:
        """Numbers as they are (NaN where missing), categories as their rank by train frequency (-1 = unseen)."""
        out = [_number(frame[c]) for c in self.numeric if c != skip]
        for c in self.categories:
            if c != skip:
                place = {v: i for i, v in enumerate(self.levels[c])}
                out.append(spell(frame[c]).map(place).fillna(-1).to_numpy(float))
        return np.column_stack(out)

    def dense(self, frame: pd.DataFrame, skip: str = "", scale: float = 1.0) -> np.ndarray:
        """Numbers scaled to the central 99 % of train with a missing flag, categories one-hot times ``scale``."""
        out = []
        for c in self.numeric:
            if c != skip:
                v = _number(frame[c])
                span = (self.high[c] - self.low[c]) or 1.0
                filled = np.clip(np.where(np.isnan(v), self.median[c], v), self.low[c], self.high[c])
                out += [((filled - self.low[c]) / span)[:, None], np.isnan(v)[:, None].astype(float)]
        for c in self.categories:
            if c != skip:
                place = {v: i for i, v in enumerate(self.levels[c])}
                out.append(np.eye(len(place) + 1)[spell(frame[c]).map(place).fillna(len(place)).astype(int).to_numpy()] * scale)
        return np.hstack(out)


def _spell_one(value: str) -> str:
    text = value.strip()
    if text in ("nan", "NaN", "None", "<NA>", "NaT", ""):
        return "<NA>"
    if text in ("True", "False"):
        return str(int(text == "True"))
    try:
        number = float(text)
        return f"{int(number)}" if number == int(number) else repr(number)
    except (ValueError, OverflowError):
        return text


def _pandas(frame: pl.DataFrame) -> pd.DataFrame:
    return frame.with_columns(pl.col(pl.Boolean).cast(pl.Int64), pl.col(pl.Categorical, pl.Enum).cast(pl.String)).to_pandas().reset_index(drop=True)


def _number(column: pd.Series) -> np.ndarray:
    return significant(pd.to_numeric(column, errors="coerce").astype("float64"))


def _marks(a: pd.DataFrame, s: pd.DataFrame, numeric: Sequence[str]) -> tuple[Marks, Marks, dict[str, int]]:
    """Integer marks per column over both tables, and the number of cells."""
    marks_a, marks_s, sizes = {}, {}, {}
    for c in a:
        if c in numeric:
            va, vs = _number(a[c]), _number(s[c])
            edges = np.unique(np.nanquantile(va, np.linspace(0, 1, N_BINS + 1)[1:-1]))
            marks_a[c], marks_s[c] = (np.where(np.isnan(v), len(edges) + 1, np.searchsorted(edges, v, side="right")) for v in (va, vs))
            sizes[c] = len(edges) + 2
        else:
            ta, ts = spell(a[c]), spell(s[c])
            levels = ta.value_counts().index.tolist()
            seen = set(levels)
            levels += [v for v in ts.unique() if v not in seen]
            place = {v: i for i, v in enumerate(levels)}
            marks_a[c], marks_s[c], sizes[c] = ta.map(place).to_numpy(), ts.map(place).to_numpy(), len(levels)
    return marks_a, marks_s, sizes


def _tv(a: np.ndarray, b: np.ndarray, size: int) -> float:
    if size > 2_000_000:
        _, both = np.unique(np.concatenate([a, b]), return_inverse=True)
        a, b, size = both[: len(a)], both[len(a) :], int(both.max()) + 1
    return float(0.5 * np.abs(np.bincount(a, minlength=size) / len(a) - np.bincount(b, minlength=size) / len(b)).sum())


def _marginals(a: Marks, s: Marks, sizes: Mapping[str, int]) -> tuple[float, float]:
    one = [_tv(a[c], s[c], sizes[c]) for c in a]
    two = [_tv(a[c].astype(np.int64) * sizes[d] + a[d], s[c].astype(np.int64) * sizes[d] + s[d], sizes[c] * sizes[d]) for c, d in itertools.combinations(a, 2)]
    return float(np.mean(one)), float(np.mean(two))


def _scores(frame: pd.DataFrame, numeric: Sequence[str], marks: Marks) -> np.ndarray:
    """Rank-normal scores, shape (n, columns)."""
    out = []
    for c in frame:
        v = _number(frame[c]) if c in numeric else marks[c].astype(float)
        v = np.where(np.isnan(v), np.nanmedian(v) if np.isfinite(v).any() else 0.0, v)
        out.append(norm.ppf((rankdata(v) - 0.5) / len(v)))
    return np.column_stack(out)


def _hellinger(a: np.ndarray, s: np.ndarray, shrink: float = 1e-3) -> float:
    keep = a.std(0) > 1e-9

    def correlation(z: np.ndarray) -> np.ndarray:
        sd = z.std(0)
        z = np.where(sd > 1e-9, (z - z.mean(0)) / np.where(sd > 1e-9, sd, 1), 0)
        c = z.T @ z / len(z)
        np.fill_diagonal(c, 1.0)
        return (1 - shrink) * c + shrink * np.eye(len(c))

    ca, cs = correlation(a[:, keep]), correlation(s[:, keep])
    la, ls, lm = (np.linalg.slogdet(m)[1] for m in (ca, cs, (ca + cs) / 2))
    return float(np.sqrt(max(0.0, 1 - np.exp(0.25 * la + 0.25 * ls - 0.5 * lm))))


def _sample(frame: pd.DataFrame, n: int) -> pd.DataFrame:
    return frame if len(frame) <= n else frame.sample(n, random_state=SEED)


def _auroc(coder: Encoder, fit: pd.DataFrame, test: pd.DataFrame, task: tuple[str, str], kind: str) -> float:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    target, positive = task
    fit = _sample(fit, CAP_FIT)
    y, truth = ((spell(f[target]) == positive).to_numpy(int) for f in (fit, test))
    if y.min() == y.max() or truth.min() == truth.max():
        return float("nan")
    if kind == "hgb":
        model: Any = HistGradientBoostingClassifier(random_state=SEED, max_iter=100)
        x, x_test = coder.tree(fit, target), coder.tree(test, target)
    else:
        model = LogisticRegression(max_iter=200)
        x, x_test = coder.dense(fit, target), coder.dense(test, target)
    return float(roc_auc_score(truth, model.fit(x, y).predict_proba(x_test)[:, 1]))


def _propensity(coder: Encoder, a: pd.DataFrame, s: pd.DataFrame) -> float:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    n = min(len(a), len(s), CAP_PROPENSITY)
    x = np.vstack([coder.tree(_sample(a, n)), coder.tree(_sample(s, n))])
    y = np.r_[np.zeros(n), np.ones(n)]
    model = HistGradientBoostingClassifier(random_state=SEED, max_iter=100)
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
    return float(roc_auc_score(y, cross_val_predict(model, x, y, cv=folds, method="predict_proba")[:, 1]))


def _nearer(coder: Encoder, a: pd.DataFrame, h: pd.DataFrame, s: pd.DataFrame) -> float:
    from sklearn.neighbors import NearestNeighbors

    n = min(len(a), len(h), CAP_NEAREST_REFERENCE)
    ta, th, q = (coder.dense(_sample(f, k), scale=np.sqrt(0.5)).astype(np.float32) for f, k in ((a, n), (h, n), (s, CAP_NEAREST_QUERY)))
    da, dh = (NearestNeighbors(n_neighbors=1, algorithm="brute").fit(t).kneighbors(q)[0][:, 0] for t in (ta, th))
    return float(np.where(da < dh - 1e-4, 1.0, np.where(dh < da - 1e-4, 0.0, 0.5)).mean())


def _copies(a: pd.DataFrame, s: pd.DataFrame, numeric: Sequence[str]) -> float:
    def key(frame: pd.DataFrame) -> pd.Series:
        columns = {c: (pd.Series(_number(frame[c])) if c in numeric else spell(frame[c])).reset_index(drop=True) for c in a}
        return pd.util.hash_pandas_object(pd.DataFrame(columns), index=False)

    return float(key(s).isin(set(key(a))).mean())
