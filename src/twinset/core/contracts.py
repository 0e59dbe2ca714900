"""The contracts of the whole system on one page. Read this after ``pipeline.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.domain import Domain
from twinset.core.finding import Finding
from twinset.core.refits import Refits
from twinset.core.schema import Schema
from twinset.core.seeds import Rng

FloatArray = np.ndarray
IntArray = np.ndarray
BoolArray = np.ndarray


@dataclass(frozen=True)
class Measurement:
    """A noisy answer that crossed from the private side: all a private generator may hold.

    ``counts`` has one axis per column of ``clique`` (the modelled cells of its domain axis);
    ``sigma`` is the standard deviation of the noise on every cell.
    """

    clique: tuple[str, ...]
    counts: IntArray
    sigma: float


class Source(Protocol):
    """Private rows, answered one billed question at a time (``dp.vault.Vault`` is one).

    A private generator asks in this order: ``discretise`` (the domain, declared or paid for), then any number of ``recode``
    (free: it regroups cells by what is already noisy), ``marginal`` and ``choose``. It never sees an exact count.
    """

    @property
    def schema(self) -> Schema: ...

    @property
    def dtypes(self) -> Mapping[str, pl.DataType]:
        """The dtype of each synthesised column: a declaration of the table's format, not of its content."""
        ...

    @property
    def rules(self) -> Sequence[Rule]:
        """The rules that are public: a private generator may build them in without paying."""
        ...

    @property
    def private(self) -> bool:
        """Whether this run has a budget, so that a generator which can work with measurements must."""
        ...

    @property
    def remaining(self) -> float:
        """The zCDP rho this run may still spend; infinite where no budget was set."""
        ...

    @property
    def sensitivity(self) -> float:
        """The most that one patient can change a marginal's counts in L2: the bound on rows per patient, times sqrt 2 under replace-one."""
        ...

    @property
    def n_public(self) -> int | None:
        """The number of rows where the study declares it public (replace-one); else ``None``: ask ``marginal((), sigma=...)``."""
        ...

    def discretise(self, *, rho: float) -> Domain:
        """The domain: free where the schema is declared public, else found within ``rho`` (nothing is spent if all is declared)."""
        ...

    def recode(self, domain: Domain) -> None:
        """Use other groups for all later questions. Free: regrouping is post-processing.

        ``domain`` must be the one that ``discretise`` returned, with its fine cells regrouped; anything else raises BadInput.
        """
        ...

    def marginal(self, columns: Sequence[str], *, sigma: float) -> Measurement:
        """Noisy counts on the modelled cells, one axis a column; no columns = the noisy row count."""
        ...

    def choose(
        self,
        workload: Sequence[tuple[str, ...]],
        estimates: FloatArray,
        *,
        weights: FloatArray,
        penalties: FloatArray,
        allowed: BoolArray,
        epsilon: float,
    ) -> int:
        """The place in ``workload`` of a marginal that ``estimates`` gets badly wrong, by private selection.

        The score of marginal i is weights[i] * (||counts_i - estimates_i||_1 - penalties[i]); the source computes it and its sensitivity in
        whole numbers, and answers by report-noisy-max at ``epsilon`` (rho = epsilon^2 / 8). ``estimates``: float64, expected
        counts of all marginals of the workload, each in C order, one behind the other (rounded to whole patients, at least 0). ``weights``:
        finite, not negative, one positive at least; ``penalties``: finite; ``allowed``: bool, which places may win. Raises BadInput otherwise.
        """
        ...

    def train(self, step: Callable[..., Any], *, clip: float, noise_multiplier: float, rate: float, steps: int) -> Any: ...

    def reveal(self, why: str) -> Cohort: ...


class Model(Protocol):
    """What a generator learnt. Frozen; draws as many rows as asked."""

    def sample(self, n: int, rng: Rng) -> Cohort: ...


@runtime_checkable
class PairedModel(Protocol):
    """A model that knows which patient each synthetic row started from (avatars).

    The link is for the custodian's paired metrics; it never leaves with a release.
    ``sample_paired`` returns the cohort and, shape (n,), the train row each row started from.
    """

    def sample_paired(self, n: int, rng: Rng) -> tuple[Cohort, IntArray]: ...


@runtime_checkable
class SizedModel(Protocol):
    """A model that knows how many rows to draw without asking the rows again: from a noisy count, or a public one."""

    @property
    def n_rows(self) -> int: ...


@runtime_checkable
class NoisyModel(Protocol):
    """A model that knows how far noise moves its shares.

    ``share_noise``: the standard deviation of the noise in the share of patients with one value of one column (a fraction, mean over columns), from
    the noise that was asked for and the noisy total: nothing in it is exact. What drowns in it is of no use.
    """

    @property
    def share_noise(self) -> float: ...


@runtime_checkable
class UnlistedModel(Protocol):
    """A model of columns whose levels were found within the budget: by column, the (noisy) share of patients in levels that were not found."""

    def unlisted(self) -> dict[str, float]: ...


@runtime_checkable
class FixedNoise(Protocol):
    """A private generator that says whether it fixes the noise of every question, and their number, before it asks the first one.

    ``noise_is_fixed``: true where both follow from its settings, the schema's declarations and the budget alone. Then privacy loss distributions may
    be added up (``dp.accountant.pld_epsilon``); for a generator that chooses noise by what it was answered they may not.
    """

    @property
    def noise_is_fixed(self) -> bool: ...


class Generator(Protocol):
    """A frozen dataclass of settings, every one with a default.

    ``fit`` asks the source, never a file; the model's cohorts have ``source.schema.synthesised``.
    """

    def fit(self, source: Source, rng: Rng) -> Model: ...


class Rule(Protocol):
    """Something that must hold in every row."""

    @property
    def name(self) -> str: ...

    def broken(self, cohort: Cohort) -> BoolArray: ...


@dataclass(frozen=True)
class Effect:
    """An estimate of an endpoint: value on its natural scale (log for ratios), with its naive standard error."""

    contrast: str  # "arm 1 against arm 0": positions in the declared list, or declared names
    value: float
    error: float
    low: float
    high: float
    p: float
    n: int
    ratio: bool = True  # value, low and high are logarithms of a ratio


@dataclass(frozen=True)
class Comparison:
    """One contrast of an endpoint on train and on synthetic patients, with the interval for the population.

    ``widened_*``: by ``refits`` where the generator was fitted again on resampled patients, else T_s = v (k/n + 1/m) (Raab, Nowok and Dibben 2016), which is
    valid if the generator's model is right.
    """

    endpoint: str
    train: Effect
    synthetic: Effect  # naive error: never print its interval as a population statement
    widened_error: float
    widened_low: float
    widened_high: float
    decision_kept: bool  # same sign and same significance at 5 %, train against widened synthetic
    estimate_inside: bool  # synthetic estimate inside the train 95 % interval
    overlap: float  # confidence-interval overlap (Karr); a perfect generator expects 0.796 at m = 1
    holdout: Effect | None = None
    constraint: str = ""  # why agreement is imposed rather than replicated, if it is
    refits: Refits | None = None


@dataclass(frozen=True)
class Curve:
    """A survival curve on a coarse grid of times (never at patients' own event times), with its 95 % band."""

    endpoint: str
    cohort: str  # "train" or "synthetic"
    arm: str
    times: tuple[float, ...]
    survival: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class AuditResult:
    """Everything the audit found, in a fixed order.

    ``audited``: a sentence that says of how many patients, where attacks and distances looked at a random sample; "" where they looked at all.
    """

    findings: tuple[Finding, ...]
    comparisons: tuple[Comparison, ...] = ()
    curves: tuple[Curve, ...] = ()
    audited: str = ""


class Endpoint(Protocol):
    """A clinical analysis, run alike on train, hold-out and synthetic cohorts."""

    @property
    def name(self) -> str: ...

    def estimate(self, cohort: Cohort) -> Sequence[Effect]: ...


@runtime_checkable
class CheckedEndpoint(Protocol):
    """An endpoint that can say what is wrong with it before any row is looked at: sentences that name columns and settings, never a level."""

    def problems(self, schema: Schema) -> Sequence[str]: ...


@dataclass(frozen=True)
class Trial:
    """What a metric sees: everything, on the custodian's side of the line."""

    train: Cohort
    synthetic: Cohort
    holdout: Cohort | None = None
    link: IntArray | None = None  # train row of each synthetic row, where a paired model made them
    endpoints: tuple[Endpoint, ...] = ()
    rules: tuple[Rule, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)  # e.g. {"strata": "arm, event"}: what the generator imposed
    refits: tuple[Refits, ...] = ()  # of the declared endpoints, for one copy


class Metric(Protocol):
    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]: ...


@dataclass(frozen=True)
class View:
    """What an attacker sees. Nothing here says who was in the training data."""

    synthetic: Cohort
    population: Cohort  # a reference sample of the same population, disjoint from train and from the targets


class Attack(Protocol):
    """Scores targets; higher means "more likely a member"."""

    def score(self, view: View, targets: Cohort, rng: Rng) -> FloatArray: ...
