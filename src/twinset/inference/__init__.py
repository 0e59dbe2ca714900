"""What an analysis of synthetic copies says about the population: the error that sampling, noise and synthesis add to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from twinset.audit.endpoints.synthesis import DECLARE, HELD, changed
from twinset.core.seeds import stream
from twinset.errors import BadInput
from twinset.generators import GENERATORS
from twinset.inference.analysis import Analysis, Estimate, Estimates, prepared, unmeasured
from twinset.inference.copies import Copies
from twinset.inference.declared import refitted, released
from twinset.inference.found import Inference, beside, estimated, naive

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
NO_REFITS = "Declared, but released without refits (none were made, or too few gave an estimate): so no interval of its own, but the rule T_s."
T_S = "T_s = v (k/n + 1/m), Raab, Nowok and Dibben 2016"
BOOTSTRAP = "parametric bootstrap of the released model"


def infer_population(copies: Copies, analysis: Analysis | Estimates | str, *, runs: int, level: float, seed: int) -> Inference:
    """The estimate with its interval: from refits where the release has them for this analysis, by the bootstrap where its model was released, else by T_s. See :func:`twinset.combine`."""
    return infer_all(copies, (analysis,), runs=runs, level=level, seed=seed)[0]


def infer_all(copies: Copies, analyses: Sequence[Analysis | Estimates | str], *, runs: int, level: float, seed: int) -> tuple[Inference, ...]:
    """As :func:`infer_population`, for several analyses on the same runs of the bootstrap."""
    if not 0.5 <= level < 1:
        raise BadInput("`level` must be at least 0.5 and below 1", where="combine", hint="0.95 is usual")
    told = [released(a, copies) if isinstance(a, str) else None for a in analyses]
    others = iter(_inferred([a for a, t in zip(analyses, told, strict=True) if t is None], copies, Plan(runs, level, seed)))
    return tuple(_alone(next(others), a) if t is None else refitted(t, copies, level) for a, t in zip(analyses, told, strict=True))


def _alone(found: Inference, analysis: object) -> Inference:
    """Says so where a declared analysis had to do with the rule for others."""
    return replace(found, says=f"{NO_REFITS} {found.says}") if isinstance(analysis, str) and found.rule == T_S else found


def _inferred(analyses: Sequence[Analysis | Estimates | str], copies: Copies, plan: Plan) -> list[Inference]:
    estimates = [prepared(a, copies) for a in analyses]
    found = [np.array([e(f) for f in copies.frames]) for e in estimates]
    if not all(np.isfinite(f[:, 0]).all() for f in found):
        raise BadInput("the analysis gives no finite estimate on a released copy", where="combine", hint="try it on one copy first")
    if not estimates or copies.model is None:
        return [_t_s(copies, f, plan.level, e.ratio) for f, e in zip(found, estimates, strict=True)]
    drawn = _draws(copies, copies.model, estimates, plan)
    made = (_bootstrap(copies, d, f, plan, e.ratio) for d, f, e in zip(drawn, found, estimates, strict=True))
    return [_warned(m, unmeasured(e, copies.frames[0], copies.model.measured, seed=plan.seed)) for m, e in zip(made, estimates, strict=True)]


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


def _bootstrap(copies: Copies, draws: Draws, found: np.ndarray, plan: Plan, ratio: str) -> Inference:
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
    own = naive(found, plan.level)
    privacy = max(0.0, whole - sampling - synthesis)
    shares = np.array([sampling, privacy, synthesis])
    shares = shares / max(shares.sum(), 1e-300)
    says = (
        f"{estimated(value - bias, (low, high), plan.level, ratio)} in the population; of its variance about {shares[0]:.0%} is sampling, "
        f"{shares[1]:.0%} privacy noise, {shares[2]:.0%} drawing rows. {beside(own, (low, high))}"
    )
    silent = f"{MODEL} {RULES} {SHARED}"
    parts = (math.sqrt(sampling), math.sqrt(privacy), math.sqrt(synthesis))
    n = copies.model.n_rows if copies.model else None
    return Inference(value, error, low, high, plan.level, bias, *parts, *own, n, rows, m, len(turns), BOOTSTRAP, says, silent)


def _t_s(copies: Copies, found: np.ndarray, level: float, ratio: str) -> Inference:
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
    own = naive(found, level)
    ends, held = (value - half, value + half), HELD[copies.generator]
    default = "" if copies.settings else " That is so at its default settings."
    says = f"{estimated(value, ends, level, ratio)} in the population. {held.says(n)}{default} {beside(own, ends)}"
    silent = "It holds only if the generator's model is right for this analysis: copies of a model that smooths a relation away are biased, and no interval shows it."
    if m > held.copies:
        silent += f" It was tested with up to {held.copies} copies; these are {m}."
    return Inference(value, error, *ends, level, 0.0, sampling, math.nan, synthesis, *own, n, rows, m, 0, T_S, says, silent)


def _demand_tested(copies: Copies) -> None:
    """Raises BadInput where T_s was not tested for what made these copies."""
    if not copies.generator:
        raise BadInput("frames do not say which generator made them, and no rule holds for all", where="combine", hint='give generator="trees", if it was')
    hint = DECLARE
    if copies.generator in NOT_A_SAMPLE:
        raise BadInput(
            f"no rule is known for copies of `{copies.generator}`: its rows start from single patients, not from a model of them", where="combine", hint=hint
        )
    if copies.generator not in HELD:
        raise BadInput(f"the rule T_s was not tested for copies of `{copies.generator}`", where="combine", hint=hint)
    if copies.settings is None:
        return
    if HELD[copies.generator].since not in copies.settings:
        raise BadInput(
            f"this release was made by an older version, for whose `{copies.generator}` the rule T_s does not hold: effects came out too small",
            where="combine",
            hint="have it released again by this version",
        )
    if other := changed(copies.settings, GENERATORS[copies.generator]):
        raise BadInput(
            f"the rule T_s was tested for `{copies.generator}` at its default settings, not with another {', '.join(f'`{k}`' for k in other)}",
            where="combine",
            hint=hint,
        )
