"""The leak columns of every benchmark table, written apart from the package's attacks on purpose.

All are calibrated on people who were not in: half of the hold-out is the attacker's reference, the other half are
the non-members; then the halves swap and the two figures are averaged. 0.5 = chance.

  attack    AUC of log(distance to reference / distance to release), mixed L1 distance
  tpr       true positive rate of that attack at 1 % false positives (0.01 = chance)
  isolated  AUC of the attack among the 5 % of targets farthest from the reference
  replay    AUC of "my rare exact numeric values occur in the release"
  clf       AUC of gradient boosting, release against reference

Distance: numbers as ranks in train and reference together (0 to 1), categories 0 or 1, missing apart from everything.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numba import njit

CAP_TARGETS = 3_000
RARE = 0.0005  # a value is rare if at most this share of the reference holds it


def attack(train: pl.DataFrame, holdout: pl.DataFrame, release: pl.DataFrame, *, seed: int = 0) -> dict[str, float]:
    """The five figures for one release."""
    rng = np.random.default_rng([seed, 77])
    order = rng.permutation(holdout.height)
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    members = rng.permutation(train.height)
    runs = []
    for reference, others in (halves, halves[::-1]):
        others = others[:CAP_TARGETS]
        targets = pl.concat([train[members[: max(len(others), min(CAP_TARGETS, train.height))]], holdout[others]], how="vertical_relaxed")
        truth = np.arange(targets.height) < targets.height - len(others)
        runs.append(_one(holdout[reference], release.select(train.columns), targets, truth))
        members = np.roll(members, CAP_TARGETS)
    return {k: float(np.mean([r[k] for r in runs])) for k in runs[0]}


def _one(reference: pl.DataFrame, release: pl.DataFrame, targets: pl.DataFrame, truth: np.ndarray) -> dict[str, float]:
    x, s, t, is_number = _coordinates(reference, release, targets)
    far, near = _nearest(t, x, is_number), _nearest(t, s, is_number)
    score = np.log((far + 1e-9) / (near + 1e-9))
    isolated = np.zeros(len(truth), dtype=bool)
    isolated[np.argsort(-far, kind="stable")[: max(20, len(truth) // 20)]] = True
    return {
        "attack": auc(score, truth),
        "tpr": tpr_at(score, truth, 0.01),
        "isolated": auc(score[isolated], truth[isolated]),
        "replay": auc(_replayed(reference, release, targets), truth),
        "clf": auc(_classifier(x, s, t), truth),
    }


def auc(score: np.ndarray, truth: np.ndarray) -> float:
    """Probability that a member scores above a non-member, ties half."""
    from scipy.stats import rankdata

    n_in, n_out = int(truth.sum()), int((~truth).sum())
    if not n_in or not n_out:
        return float("nan")
    return float((rankdata(score)[truth].sum() - n_in * (n_in + 1) / 2) / (n_in * n_out))


def tpr_at(score: np.ndarray, truth: np.ndarray, fpr: float) -> float:
    """Share of members above the threshold that ``fpr`` of the non-members exceed."""
    threshold = np.quantile(score[~truth], 1 - fpr, method="higher")
    return float((score[truth] > threshold).mean())


def _coordinates(*frames: pl.DataFrame) -> tuple[Any, ...]:
    """Each table as float32 (n, columns), and which columns are numbers. Missing is 5 away from every number."""
    out: list[list[np.ndarray]] = [[] for _ in frames]
    kinds = []
    for name in frames[0].columns:
        series = [f[name] for f in frames]
        pooled = pl.concat([series[0], series[2]]).drop_nulls()
        number = all(s.dtype.is_numeric() for s in series) and pooled.n_unique() > 20
        kinds.append(number)
        if number:
            grid = np.sort(pooled.cast(pl.Float64).to_numpy())
            for o, s in zip(out, series, strict=True):
                v = s.cast(pl.Float64).fill_null(np.nan).to_numpy()
                rank = (np.searchsorted(grid, v) + np.searchsorted(grid, v, side="right")) / (2.0 * len(grid))
                o.append(np.where(np.isnan(v), 5.0, rank))
        else:
            text = [s.cast(pl.String).fill_null("\0").to_numpy() for s in series]
            _, codes = np.unique(np.concatenate(text).astype(str), return_inverse=True)
            for o, part in zip(out, np.split(codes, np.cumsum([len(v) for v in text])[:-1]), strict=True):
                o.append(part.astype(float))
    tables = [np.column_stack(o).astype(np.float32) for o in out]
    return (*tables, np.array(kinds))


@njit(cache=False)
def _nearest(queries: np.ndarray, pool: np.ndarray, is_number: np.ndarray) -> np.ndarray:  # pragma: no cover
    """Distance to the nearest row of the pool; stops adding once the best is exceeded."""
    out = np.empty(len(queries))
    for i in range(len(queries)):
        best = 1e30
        for j in range(len(pool)):
            d = 0.0
            for c in range(queries.shape[1]):
                gap = abs(queries[i, c] - pool[j, c])
                d += min(gap, 1.0) if is_number[c] else (1.0 if gap > 0 else 0.0)
                if d >= best:
                    break
            best = min(best, d)
        out[i] = best
    return out


def _replayed(reference: pl.DataFrame, release: pl.DataFrame, targets: pl.DataFrame) -> np.ndarray:
    """Per target: rare numeric values found in the release, less those not found."""
    total = np.zeros(targets.height)
    for name in reference.columns:
        if not reference[name].dtype.is_numeric() or reference[name].n_unique() <= 20:
            continue
        counts = reference[name].drop_nulls().cast(pl.Float64).value_counts()
        common = counts.filter(pl.col("count") > RARE * reference.height)[name]
        value = targets[name].cast(pl.Float64)
        rare = value.is_not_null() & ~value.is_in(common.implode())
        found = value.is_in(release[name].drop_nulls().cast(pl.Float64).unique().implode())
        total += np.where(rare.to_numpy(), np.where(found.fill_null(False).to_numpy(), 1.0, -1.0), 0.0)
    return total


def _classifier(reference: np.ndarray, release: np.ndarray, targets: np.ndarray) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = np.random.default_rng(0).permutation(len(release))[:20_000]
    x = np.vstack([reference, release[rows]])
    y = np.r_[np.zeros(len(reference)), np.ones(len(rows))]
    return HistGradientBoostingClassifier(random_state=0, max_iter=100).fit(x, y).predict_proba(targets)[:, 1]
