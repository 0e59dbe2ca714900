"""All columns at once, through a Gaussian copula."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from twinset.audit.fidelity.cells import Levels, Line, Part, Table, aligned, some
from twinset.audit.fidelity.variation import Z95
from twinset.core.contracts import Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

SILENT = "Sees means, variances and straight-line dependence of normal scores only; it cannot see what is rare or bent."
LABEL = "All columns at once"
RARE = 10  # fewer patients (or one in a thousand) off the most frequent value: the column is left to single columns and pairs
GROUPS = 40
REDRAWN = 12
ENOUGH = 20_000
WORK = 5e8


@dataclass(frozen=True)
class Hellinger:
    """Hellinger distance of two Gaussians fitted to normal scores of both tables, in [0, 1], 0 best.

    Scores use the distribution function of *train* for both tables, so that a shifted column counts; ``dependence`` beside it is
    the distance with each table's own ranks (the usual form, blind to margins). Categories are ordered by their frequency in train. Never compare two
    data sets by it: the value that fresh patients would get (``floor``) depends on columns and rows, for Gaussians
    E[H²] = 1 - exp(-(q/8)(1/n + 1/k)), q = d + d(d+1)/2; q is estimated by redrawing train rows. ``holdout`` is brought to the size of the synthetic table on that scale.
    Interval: delete-a-group jackknife over synthetic rows. Columns with fewer than ten
    patients (or one in a thousand) off their most frequent value are left out: chance would decide. At most ``most`` columns, drawn by seed.

    Source: El Emam et al., JMIR Med Inform 2022;10(4):e35734; formula of the distance between normals is standard.
    """

    shrink: float = 1e-3
    most: int = 200

    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]:
        others = [trial.synthetic] if trial.holdout is None else [trial.synthetic, trial.holdout]
        names = trial.train.schema.synthesised.names
        tables = aligned(trial.train, *others, names=some(names, self.most, rng))
        if min(t.n for t in tables[:2]) < 3:
            return (not_measured("fidelity.hellinger", "it takes three rows in each table", label=LABEL),)
        base = scores(tables[0], tables[0])
        fewest = max(RARE, tables[0].n / 1000)
        steady = np.array([_off_mode(p) >= fewest for p in tables[0].parts], dtype=bool)
        if not steady.any():
            return (not_measured("fidelity.hellinger", f"no column has {math.ceil(fewest)} patients off its most frequent value", label=LABEL),)
        own = [scores(t, tables[0])[:, steady] for t in tables[1:]]
        dependence = distance(self._log(*_varying(base, scores(tables[1], tables[1])), correlations=True))
        finding = self._finding(base[:, steady], own, rng)
        says = finding.says + ("" if len(names) <= self.most else f" Measured on {self.most} columns drawn from {len(names):,}.")
        return (replace(finding, beside={**finding.beside, "dependence": dependence}, says=says),)

    def _finding(self, base: np.ndarray, own: list[np.ndarray], rng: Rng) -> Finding:
        n, d = base.shape
        k = len(own[0])
        log, error = self._jackknife(base, own[0], rng)
        null, null_error = self._null(base, rng)
        size = 1 / n + 1 / k
        floor = distance(null * size)
        beside = {
            "floor": floor,
            "floor_low": distance((null - Z95 * null_error) * size),
            "floor_high": distance((null + Z95 * null_error) * size),
            "independent": distance(self._log(base, rng.permuted(base, axis=0))),
        }
        if len(own) > 1:
            beside["holdout"] = distance(size / (1 / n + 1 / len(own[1])) * self._log(base, own[1]))
        value = distance(log)
        says = f"{d} columns seen together lie at a distance of {value:.2f} from train; fresh patients would lie at about {floor:.2f}."
        low, high = distance(max(0.0, log - Z95 * error)), distance(log + Z95 * error)
        return Finding("fidelity.hellinger", value, low, high, k, "lower", beside, says=says, silent_on=SILENT, label=LABEL)

    def _log(self, base: np.ndarray, other: np.ndarray, *, correlations: bool = False) -> float:
        if correlations:
            base, other = standardised(base), standardised(other)
        return bhattacharyya(_moments(base), _moments(other), self.shrink, _scale(base))

    def _null(self, base: np.ndarray, rng: Rng) -> tuple[float, float]:
        """What -log(1 - H²) expects per unit of (1/n + 1/k), and its standard deviation: by redrawing train rows, 0 if there are too few.

        For normal scores it is (d + d(d+1)/2)/8; heavy tails and steps of real tables add some 15 %.
        """
        n, d = base.shape
        normal = (d + d * (d + 1) / 2) / 8
        if n < 3 * d:
            return normal, 2 * math.sqrt(normal / 8)
        most = max(ENOUGH, int(WORK / d**2))  # rare levels need all rows: thin them out only where the products would take long
        rows = base if n <= most else base[rng.permutation(n)[:most]]
        logs = np.array([self._log(rows, rows[rng.integers(0, len(rows), len(rows))]) for _ in range(REDRAWN)]) * len(rows)
        return float(logs.mean()), float(logs.std(ddof=1))

    def _jackknife(self, base: np.ndarray, other: np.ndarray, rng: Rng) -> tuple[float, float]:
        """-log(1 - H²) and its standard error over synthetic rows."""
        scale, first = _scale(base), _moments(base)
        groups = min(GROUPS, len(other))
        parts = [_moments(other[rows]) for rows in np.array_split(rng.permutation(len(other)), groups)]
        whole = _sum(parts)
        log = bhattacharyya(first, whole, self.shrink, scale)
        without = np.array([bhattacharyya(first, _less(whole, p), self.shrink, scale) for p in parts])
        return log, math.sqrt((groups - 1) * float(without.var()))


Moments = tuple[int, np.ndarray, np.ndarray]  # rows, sum, sum of products


def scores(table: Table, train: Table) -> np.ndarray:
    """Normal scores (n, d) by the distribution function of train: z = Φ⁻¹(F(x-) + f(x)/2); beyond train's range, half a row from the end."""
    return np.column_stack([_score(p, t) for p, t in zip(table.parts, train.parts, strict=True)]) if table.parts else np.empty((table.n, 0))


def standardised(z: np.ndarray) -> np.ndarray:
    """Columns to mean 0, variance 1; a constant column becomes 0."""
    sd = z.std(axis=0)
    return np.where(sd > 1e-9, (z - z.mean(axis=0)) / np.where(sd > 1e-9, sd, 1.0), 0.0)


def distance(log: float) -> float:
    """H from -log(1 - H²).

    >>> distance(0.0)
    0.0
    """
    return math.sqrt(max(0.0, -math.expm1(-max(0.0, log))))


def expected_hellinger(d: int, n: int, k: int) -> float:
    """The distance expected between n and k rows of one Gaussian population in d columns (means and covariances).

    >>> round(expected_hellinger(20, 1000, 1000), 3)
    0.236
    """
    return distance((d + d * (d + 1) / 2) / 8 * (1 / n + 1 / k))


def bhattacharyya(a: Moments, b: Moments, shrink: float, scale: tuple[np.ndarray, np.ndarray]) -> float:
    """-log(1 - H²) of two Gaussians given by moments, in units of ``scale`` (mean, sd of train); covariances shrunk to the unit matrix."""
    mean_a, cov_a = _gaussian(a, shrink, scale)
    mean_b, cov_b = _gaussian(b, shrink, scale)
    middle = (cov_a + cov_b) / 2
    gap = mean_a - mean_b
    logs = [float(np.linalg.slogdet(m)[1]) for m in (cov_a, cov_b, middle)]
    return float(gap @ np.linalg.solve(middle, gap)) / 8 + logs[2] / 2 - (logs[0] + logs[1]) / 4


def _gaussian(moments: Moments, shrink: float, scale: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    n, total, products = moments
    mean = total / n
    cov = (products / n - np.outer(mean, mean)) / np.outer(scale[1], scale[1])
    return (mean - scale[0]) / scale[1], (1 - shrink) * cov + shrink * np.eye(len(mean))


def _scale(base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sd = base.std(axis=0)
    return base.mean(axis=0), np.where(sd > 1e-9, sd, 1.0)


def _moments(z: np.ndarray) -> Moments:
    return len(z), z.sum(axis=0), z.T @ z


def _sum(parts: list[Moments]) -> Moments:
    return sum(p[0] for p in parts), np.sum([p[1] for p in parts], axis=0), np.sum([p[2] for p in parts], axis=0)


def _less(whole: Moments, part: Moments) -> Moments:
    return whole[0] - part[0], whole[1] - part[1], whole[2] - part[2]


def _varying(base: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    varies = base.std(axis=0) > 1e-9
    return base[:, varies], other[:, varies]


def _off_mode(part: Part) -> int:
    """Rows whose value is not the most frequent one."""
    if isinstance(part, Levels):
        return int((part.codes != 0).sum())
    return len(part.values) - int(np.unique(part.values, return_counts=True)[1].max())


def _score(part: Part, train: Part) -> np.ndarray:
    """Gaps of a numeric column take the median of train (their own presence is seen by columns and pairs)."""
    if isinstance(part, Levels) and isinstance(train, Levels):
        counts = np.bincount(train.codes, minlength=part.size)
        n = int(counts.sum())
        share = (np.cumsum(counts) - counts / 2) / n
        return np.asarray(ndtri(np.clip(share, 0.5 / n, 1 - 0.5 / n))[part.codes])
    if not (isinstance(part, Line) and isinstance(train, Line)):
        raise TypeError("a column is numbers in one table and levels in the other")
    seen = train.values[~np.isnan(train.values)]
    median = float(np.median(seen)) if len(seen) else 0.0
    values, known = (np.where(np.isnan(x), median, x) for x in (part.values, train.values))
    known = np.sort(known)
    n = len(known)
    distinct, where = np.unique(values, return_inverse=True)
    below, upto = np.searchsorted(known, distinct, side="left"), np.searchsorted(known, distinct, side="right")
    return np.asarray(ndtri(np.clip((below + upto) / (2 * n), 0.5 / n, 1 - 0.5 / n))[where])
