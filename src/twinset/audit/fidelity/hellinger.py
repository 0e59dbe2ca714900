"""All columns at once, through a Gaussian copula."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from twinset.audit.fidelity.cells import Levels, Line, Part, Table, aligned, independent
from twinset.audit.fidelity.variation import Z95
from twinset.core.contracts import Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

SILENT = "Sees means, variances and straight-line dependence of normal scores only; it cannot see what is rare or bent."
GROUPS = 40
REDRAWN = 12
ENOUGH = 20_000


@dataclass(frozen=True)
class Hellinger:
    """Hellinger distance of two Gaussians fitted to normal scores of both tables, in [0, 1], 0 best.

    Scores use the distribution function of *train* for both tables, so that a shifted column counts; ``dependence`` beside it is
    the distance with each table's own ranks (the usual form, blind to margins). Categories are ordered by their frequency in train. Never compare two
    data sets by it: the value that fresh patients would get (``floor``) depends on columns and rows, for Gaussians
    E[H²] = 1 - exp(-(q/8)(1/n + 1/k)), q = d + d(d+1)/2; q is estimated by redrawing train rows. ``holdout`` is brought to the size of the synthetic table on that scale.
    Interval: delete-a-group jackknife over synthetic rows. At most ``most`` columns, drawn by seed.

    Source: El Emam et al., JMIR Med Inform 2022;10(4):e35734; formula of the distance between normals is standard.
    """

    shrink: float = 1e-3
    most: int = 200

    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]:
        others = [trial.synthetic] if trial.holdout is None else [trial.synthetic, trial.holdout]
        tables = aligned(trial.train, *others)
        n_all = len(tables[0].names)
        if n_all > self.most:
            columns = np.sort(rng.choice(n_all, self.most, replace=False))
            tables = tuple(t.select(columns) for t in tables)
        varies = np.flatnonzero(scores(tables[0], tables[0]).std(axis=0) > 1e-9)
        tables = tuple(t.select(varies) for t in tables)
        if not len(varies) or min(t.n for t in tables[:2]) < 3:
            return (not_measured("fidelity.hellinger", "it takes a column that varies and three rows in each table", label="All columns at once"),)
        return (self._finding(tables, n_all, rng),)

    def _finding(self, tables: tuple[Table, ...], n_all: int, rng: Rng) -> Finding:
        train, synthetic = tables[:2]
        base = scores(train, train)
        own = scores(synthetic, train)
        log, error = self._jackknife(base, own, rng)
        d = base.shape[1]
        size = 1 / train.n + 1 / synthetic.n
        null, null_error = self._null(base, rng)
        floor = distance(null * size)
        beside = {
            "floor": floor,
            "floor_low": distance((null - Z95 * null_error) * size),
            "floor_high": distance((null + Z95 * null_error) * size),
            "independent": distance(self._log(base, scores(independent(train, rng), train))),
            "dependence": distance(self._log(scores(train, train), scores(synthetic, synthetic), correlations=True)),
        }
        if len(tables) > 2:
            ratio = size / (1 / train.n + 1 / tables[2].n)
            beside["holdout"] = distance(ratio * self._log(base, scores(tables[2], train)))
        value = distance(log)
        says = f"All {d} columns that vary, seen together, lie at a distance of {value:.2f} from train; fresh patients would lie at about {floor:.2f}."
        if n_all > self.most:
            says += f" Measured on {self.most} columns drawn from {n_all:,}."
        low, high = distance(max(0.0, log - Z95 * error)), distance(log + Z95 * error)
        return Finding("fidelity.hellinger", value, low, high, synthetic.n, "lower", beside, says=says, silent_on=SILENT, label="All columns at once")

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
        rows = base if n <= ENOUGH else base[rng.permutation(n)[:ENOUGH]]
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


def _score(part: Part, train: Part) -> np.ndarray:
    """Gaps of a numeric column take the median of train (their own presence is seen by columns and pairs)."""
    values, known = _filled(part, train), np.sort(_filled(train, train))
    n = len(known)
    below, upto = np.searchsorted(known, values, side="left"), np.searchsorted(known, values, side="right")
    return np.asarray(ndtri(np.clip((below + upto) / (2 * n), 0.5 / n, 1 - 0.5 / n)))


def _filled(part: Part, train: Part) -> np.ndarray:
    if isinstance(part, Levels):
        return part.codes.astype(np.float64)
    median = float(np.nanmedian(train.values)) if isinstance(train, Line) else 0.0
    return np.where(np.isnan(part.values), median, part.values)
