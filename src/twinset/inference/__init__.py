"""What an analysis of synthetic copies says about the population: the error that sampling, noise and synthesis add to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from twinset.audit.endpoints.synthesis import BIASED, tested
from twinset.core.seeds import stream
from twinset.errors import BadInput
from twinset.inference.analysis import Analysis, Estimate, Estimates, prepared, unmeasured
from twinset.inference.copies import Copies

if TYPE_CHECKING:
    from twinset.generators.marginals import MarginalsModel

EXTRA = 20  # copies drawn from the released model itself: the bootstrap's centre, and what drawing rows adds
MOST_FAILED = 0.1  # of the bootstrap's runs may give no finite number
NOT_A_SAMPLE = ("avatars", "copycat")  # their rows are not draws from a fitted model of the population
MODEL = (
    "It does not cover that the model may be wrong: a relation that was never measured is not in the copies, however many there are, and no "
    "interval made from them shows it. Nor does it cover the choice of what was measured."
)
RULES = "Rows that were redrawn to keep a rule are not redrawn here."
SHARED = "All copies come from one model and share its noise; more copies only remove what drawing rows adds."
T_S = "T_s = v (k/n + 1/m), Raab, Nowok and Dibben 2016"
BOOTSTRAP = "parametric bootstrap of the released model"


@dataclass(frozen=True)
class Inference:
    """An estimate from synthetic copies with an interval for the population the patients came from.

    ``value``: mean of the copies' estimates; the interval is centred at ``value - bias``. ``error``: its whole standard error, made of
    ``sampling`` (patients are a sample), ``privacy`` (noise, and the model's smoothing) and ``synthesis`` (rows are drawn), which add in squares;
    NaN where they cannot be told apart. ``naive_*``: as if the rows of one copy were patients; never to be reported as the interval.
    ``unmeasured``: pairs of columns that the analysis relates ("stage x response") and that the released model never measured: where it is not empty, the
    value rests on an assumed independence, and the interval is not to be trusted. ``n``: real patients (a noisy count under privacy); ``rows`` and ``copies``: what was analysed; ``runs``: of the bootstrap.
    """

    value: float
    error: float
    low: float
    high: float
    level: float
    bias: float
    sampling: float
    privacy: float
    synthesis: float
    naive_error: float
    naive_low: float
    naive_high: float
    n: int
    rows: int
    copies: int
    runs: int
    rule: str
    says: str
    silent_on: str
    unmeasured: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what could not be measured is ``None``."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in self.__dict__.items()}


def infer_population(copies: Copies, analysis: Analysis | Estimates | str, *, runs: int, level: float, seed: int) -> Inference:
    """The estimate with its interval: by the bootstrap where the model was released, else by T_s. See :func:`twinset.combine`."""
    return infer_all(copies, (analysis,), runs=runs, level=level, seed=seed)[0]


def infer_all(copies: Copies, analyses: Sequence[Analysis | Estimates | str], *, runs: int, level: float, seed: int) -> tuple[Inference, ...]:
    """As :func:`infer_population`, for several analyses on the same runs of the bootstrap."""
    if not 0.5 <= level < 1:
        raise BadInput("`level` must be at least 0.5 and below 1", where="combine", hint="0.95 is usual")
    estimates = [prepared(a, copies) for a in analyses]
    found = np.array([[e(f) for f in copies.frames] for e in estimates])
    if not np.isfinite(found[:, :, 0]).all():
        raise BadInput("the analysis gives no finite estimate on a released copy", where="combine", hint="try it on one copy first")
    if copies.model is None:
        return tuple(_t_s(copies, f, level) for f in found)
    plan = Plan(runs, level, seed)
    drawn = _draws(copies, copies.model, estimates, plan)
    made = (_bootstrap(copies, copies.model.n_rows, d, f, plan) for d, f in zip(drawn, found, strict=True))
    return tuple(_warned(m, unmeasured(e, copies.frames[0], copies.model.measured, seed=seed)) for m, e in zip(made, estimates, strict=True))


def _warned(found: Inference, pairs: tuple[str, ...]) -> Inference:
    if not pairs:
        return found
    says = f"Not to be trusted: the released model never measured {', '.join(pairs)}, and holds no direct relation there. {found.says}"
    return replace(found, says=says, unmeasured=pairs)


@dataclass(frozen=True)
class Plan:
    """Runs of the bootstrap, level of the interval, seed."""

    runs: int
    level: float
    seed: int


@dataclass(frozen=True, repr=False, eq=False)
class Draws:
    """Estimates of one analysis: ``centre`` (EXTRA,) on copies of the released model; ``refitted`` and ``patients`` (runs,), of each run of the bootstrap."""

    centre: np.ndarray
    refitted: np.ndarray
    patients: np.ndarray


def _draws(copies: Copies, model: MarginalsModel, estimates: Sequence[Estimate], plan: Plan) -> list[Draws]:
    from twinset.coding.discretise import rows as as_rows
    from twinset.generators.marginals.bootstrap import rerun

    if plan.runs < 20:
        raise BadInput("the bootstrap needs 20 runs at least", where="combine", hint="200 is usual; more make the interval steadier")
    rows, m = copies.frames[0].height, len(copies.frames)
    centre, turns = np.empty((len(estimates), EXTRA)), np.empty((len(estimates), 2, plan.runs))
    for i in range(EXTRA):
        frame = model.sample(rows, stream(plan.seed, "centre", i)).frame
        centre[:, i] = [e(frame)[0] for e in estimates]
    for i in range(plan.runs):
        rng = stream(plan.seed, "turn", i)
        done = rerun(model, rng)
        made = [done.model.sample(rows, rng).frame for _ in range(m)]
        patients = as_rows(done.cells, model.domain, model.schema, model.dtypes, rng).frame
        turns[:, 0, i] = [np.mean([e(f)[0] for f in made]) for e in estimates]
        turns[:, 1, i] = [e(patients)[0] for e in estimates]
    return [Draws(c, t[0], t[1]) for c, t in zip(centre, turns, strict=True)]


def _bootstrap(copies: Copies, n: int, draws: Draws, found: np.ndarray, plan: Plan) -> Inference:
    from scipy.stats import t

    rows, m = copies.frames[0].height, len(copies.frames)
    good = np.isfinite(draws.refitted) & np.isfinite(draws.patients)
    failed = plan.runs - int(good.sum())
    if failed > MOST_FAILED * plan.runs or not np.isfinite(draws.centre).all():
        raise BadInput(
            f"the analysis gave no finite estimate in {failed} of {plan.runs} bootstrap runs: the noise is too large for it",
            where="combine",
            hint="analyse something coarser, or ask the custodian for a larger epsilon",
        )
    turns, centre = np.column_stack([draws.refitted, draws.patients])[good], draws.centre
    bias = float(turns[:, 0].mean() - centre.mean())
    whole = float(turns[:, 0].var(ddof=1))
    sampling, synthesis = float(turns[:, 1].var(ddof=1)), float(centre.var(ddof=1)) / m
    error = math.sqrt(whole * (1 + 1 / len(turns)))  # the bias is itself a mean of so many runs
    value = float(found[:, 0].mean())
    half = float(t.ppf(0.5 + plan.level / 2, len(turns) - 1)) * error
    low, high = value - bias - half, value - bias + half
    naive = _naive(found, plan.level)
    privacy = max(0.0, whole - sampling - synthesis)
    shares = np.array([sampling, privacy, synthesis])
    shares = shares / max(shares.sum(), 1e-300)
    says = (
        f"{_figure(value - bias)} ({plan.level:.0%} interval {_figure(low)} to {_figure(high)}) in the population; of its variance about {shares[0]:.0%} is sampling, "
        f"{shares[1]:.0%} privacy noise, {shares[2]:.0%} drawing rows. {_beside(naive, (low, high))}"
    )
    silent = f"{MODEL} {RULES} {SHARED}"
    parts = (math.sqrt(sampling), math.sqrt(privacy), math.sqrt(synthesis))
    return Inference(value, error, low, high, plan.level, bias, *parts, *naive, n, rows, m, len(turns), BOOTSTRAP, says, silent)


def _t_s(copies: Copies, found: np.ndarray, level: float) -> Inference:
    from scipy.stats import norm

    if copies.private:
        raise BadInput(
            "a private release without its model: the noise in these copies is not known",
            where="combine",
            hint="ask for a release that holds model.json (generators `aim` and `mst` write it)",
        )
    _demand_tested(copies)
    if copies.n is None:
        raise BadInput("the number of real patients is not known", where="combine", hint="give n=")
    if not np.isfinite(found[:, 1]).all():
        raise BadInput("the rule T_s needs the standard error of each estimate", where="combine", hint="let the analysis return (estimate, standard error)")
    rows, m, n = copies.frames[0].height, len(copies.frames), copies.n
    v = float((found[:, 1] ** 2).mean())
    sampling, synthesis = math.sqrt(v * rows / n), math.sqrt(v / m)
    error, value = math.hypot(sampling, synthesis), float(found[:, 0].mean())
    half = float(norm.ppf(0.5 + level / 2)) * error
    naive = _naive(found, level)
    says = f"{_figure(value)} ({level:.0%} interval {_figure(value - half)} to {_figure(value + half)}) in the population. {BIASED[copies.generator]} {_beside(naive, (value - half, value + half))}"
    silent = "It holds only if the generator's model is right for this analysis: copies of a model that smooths a relation away are biased, and no interval shows it."
    return Inference(value, error, value - half, value + half, level, 0.0, sampling, math.nan, synthesis, *naive, n, rows, m, 0, T_S, says, silent)


def _demand_tested(copies: Copies) -> None:
    """Raises BadInput where T_s was not tested for what made these copies."""
    if not copies.generator:
        raise BadInput("frames do not say which generator made them, and no rule holds for all", where="combine", hint='give generator="trees", if it was')
    hint = "use one copy of `trees`, or `aim` under a budget, where estimates are to be reported"
    if copies.generator in NOT_A_SAMPLE:
        raise BadInput(
            f"no rule is known for copies of `{copies.generator}`: its rows start from single patients, not from a model of them", where="combine", hint=hint
        )
    if not tested(copies.generator):
        raise BadInput(f"the rule T_s was not tested for copies of `{copies.generator}`", where="combine", hint=hint)
    if len(copies.frames) > 1:
        raise BadInput(
            f"the rule T_s does not hold for several copies of `{copies.generator}`: they share one fitted model, and each copy more makes the interval narrower and no truer",
            where="combine",
            hint=f'give one of them: combine([frame], analysis, n=..., generator="{copies.generator}")',
        )


def _naive(found: np.ndarray, level: float) -> tuple[float, float, float]:
    """Error and interval of the first copy as if its rows were patients; NaN where the analysis gives no standard error."""
    from scipy.stats import norm

    half = float(norm.ppf(0.5 + level / 2)) * found[0, 1]
    return float(found[0, 1]), float(found[0, 0] - half), float(found[0, 0] + half)


def _beside(naive: tuple[float, float, float], interval: tuple[float, float]) -> str:
    width = (interval[1] - interval[0]) / (naive[2] - naive[1]) if naive[0] > 0 else math.nan
    if not math.isfinite(width):
        return "The analysis gave no standard error of its own to set beside it."
    return f"The naive interval ({_figure(naive[1])} to {_figure(naive[2])}) takes synthetic rows for patients; this one is {width:.2f} times as wide."


def _figure(x: float) -> str:
    return f"{x:.3g}"
