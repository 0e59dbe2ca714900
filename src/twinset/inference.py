"""What an analysis of synthetic copies says about the population: the error that sampling, noise and synthesis add to it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.contracts import Effect
from twinset.core.schema import Schema
from twinset.core.seeds import stream
from twinset.errors import BadInput

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

Analysis = Callable[[pl.DataFrame], Any]


@runtime_checkable
class Estimates(Protocol):
    """An endpoint, or anything that estimates effects of a cohort."""

    def estimate(self, cohort: Cohort) -> Sequence[Effect]: ...


@dataclass(frozen=True)
class Inference:
    """An estimate from synthetic copies with an interval for the population the patients came from.

    ``value``: mean of the copies' estimates; the interval is centred at ``value - bias``. ``error``: its whole standard error, made of
    ``sampling`` (patients are a sample), ``privacy`` (noise, and the model's smoothing) and ``synthesis`` (rows are drawn), which add in squares;
    NaN where they cannot be told apart. ``naive_*``: as if the rows of one copy were patients; never to be reported as the interval.
    ``n``: real patients (a noisy count under privacy); ``rows`` and ``copies``: what was analysed; ``runs``: of the bootstrap.
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

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what could not be measured is ``None``."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in self.__dict__.items()}


@dataclass(frozen=True, repr=False)
class Copies:
    """What is analysed: frames of synthetic rows, their schema, and the model they came from or how they were made."""

    frames: tuple[pl.DataFrame, ...]
    schema: Schema | None
    model: MarginalsModel | None
    endpoints: tuple[dict[str, Any], ...] = ()
    generator: str = ""
    n: int | None = None
    private: bool = False


def infer_population(copies: Copies, analysis: Analysis | Estimates | str, *, runs: int, level: float, seed: int) -> Inference:
    """The estimate with its interval: by the bootstrap where the model was released, else by T_s. See :func:`twinset.combine`."""
    if not 0.5 <= level < 1:
        raise BadInput("`level` must be at least 0.5 and below 1", where="combine", hint="0.95 is usual")
    estimate = _prepared(analysis, copies)
    found = np.array([estimate(f) for f in copies.frames])
    if not np.isfinite(found[:, 0]).all():
        raise BadInput("the analysis gives no finite estimate on a released copy", where="combine", hint="try it on one copy first")
    if copies.model is not None:
        return _bootstrap(copies, copies.model, estimate, found, Plan(runs, level, seed))
    return _t_s(copies, found, level)


@dataclass(frozen=True)
class Plan:
    """Runs of the bootstrap, level of the interval, seed."""

    runs: int
    level: float
    seed: int


Estimate = Callable[[pl.DataFrame], tuple[float, float]]


def _bootstrap(copies: Copies, model: MarginalsModel, estimate: Estimate, found: np.ndarray, plan: Plan) -> Inference:
    from scipy.stats import t

    if plan.runs < 20:
        raise BadInput("the bootstrap needs 20 runs at least", where="combine", hint="200 is usual; more make the interval steadier")
    rows, m = copies.frames[0].height, len(copies.frames)
    centre = np.array([estimate(model.sample(rows, stream(plan.seed, "centre", i)).frame)[0] for i in range(EXTRA)])
    turns = np.array([_turn(model, estimate, rows=rows, copies=m, seed=plan.seed, turn=i) for i in range(plan.runs)])
    good = np.isfinite(turns).all(axis=1)
    failed = plan.runs - int(good.sum())
    if failed > MOST_FAILED * plan.runs or not np.isfinite(centre).all():
        raise BadInput(
            f"the analysis gave no finite estimate in {failed} of {plan.runs} bootstrap runs: the noise is too large for it",
            where="combine",
            hint="analyse something coarser, or ask the custodian for a larger epsilon",
        )
    turns = turns[good]
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
    return Inference(value, error, low, high, plan.level, bias, *parts, *naive, model.n_rows, rows, m, len(turns), BOOTSTRAP, says, silent)


def _turn(model: MarginalsModel, estimate: Estimate, *, rows: int, copies: int, seed: int, turn: int) -> tuple[float, float]:
    """One run: the estimate from copies of the refitted model, and the one from the patients that it was refitted to."""
    from twinset.coding.discretise import rows as as_rows
    from twinset.generators.marginals.bootstrap import rerun

    rng = stream(seed, "turn", turn)
    done = rerun(model, rng)
    made = [estimate(done.model.sample(rows, rng).frame)[0] for _ in range(copies)]
    patients = as_rows(done.cells, model.domain, model.schema, model.dtypes, rng).frame
    return float(np.mean(made)), estimate(patients)[0]


def _t_s(copies: Copies, found: np.ndarray, level: float) -> Inference:
    from scipy.stats import norm

    if copies.private:
        raise BadInput(
            "a private release without its model: the noise in these copies is not known",
            where="combine",
            hint="ask for a release that holds model.json (generators `aim` and `mst` write it)",
        )
    if copies.generator in NOT_A_SAMPLE:
        raise BadInput(
            f"no rule is known for copies of `{copies.generator}`: its rows start from single patients, not from a model of them",
            where="combine",
            hint="use `trees`, or `aim` under a budget, where estimates are to be reported",
        )
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
    says = f"{_figure(value)} ({level:.0%} interval {_figure(value - half)} to {_figure(value + half)}) in the population. {_beside(naive, (value - half, value + half))}"
    silent = "It holds only if the generator's model is right for this analysis: copies of a model that smooths a relation away are biased, and no interval shows it."
    return Inference(value, error, value - half, value + half, level, 0.0, sampling, math.nan, synthesis, *naive, n, rows, m, 0, T_S, says, silent)


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


def _prepared(analysis: Analysis | Estimates | str, copies: Copies) -> Estimate:
    """The analysis as frame -> (estimate, standard error or NaN)."""
    contrast = ""
    if isinstance(analysis, str):
        analysis, contrast = _endpoint(analysis, copies)
    if isinstance(analysis, Estimates):
        return _effect(analysis, contrast, copies)
    if not callable(analysis):
        raise BadInput("the analysis is neither a function, an endpoint nor its name", where="combine", hint="give a function of a polars frame")
    function = analysis

    def estimate(frame: pl.DataFrame) -> tuple[float, float]:
        found = function(frame)
        value, error = found if isinstance(found, tuple | list) else (found, math.nan)
        return float(value), float(error)

    return estimate


def _effect(endpoint: Estimates, contrast: str, copies: Copies) -> Estimate:
    schema = copies.schema
    if schema is None:
        raise BadInput("an endpoint needs to know what the columns are", where="combine", hint="give the release folder, or a function in its place")
    contrasts = [e.contrast for e in endpoint.estimate(Cohort(copies.frames[0].select(schema.names), schema))]
    if not contrasts or (contrast and contrast not in contrasts) or (not contrast and len(contrasts) > 1):
        raise BadInput(
            f"the endpoint has {len(contrasts)} contrasts on the first copy, and one is needed",
            where="combine",
            hint='name it: "endpoint: contrast", the contrast as the endpoint\'s `estimate` calls it',
        )
    wanted = contrast or contrasts[0]

    def estimate(frame: pl.DataFrame) -> tuple[float, float]:
        effects = {e.contrast: e for e in endpoint.estimate(Cohort(frame.select(schema.names), schema))}
        return (effects[wanted].value, effects[wanted].error) if wanted in effects else (math.nan, math.nan)

    return estimate


def _endpoint(name: str, copies: Copies) -> tuple[Estimates, str]:
    """A declared endpoint by its name, or by "name: contrast"."""
    from twinset.audit.endpoints import ENDPOINTS
    from twinset.study import build

    declared = {str(e.get("name", "")): e for e in copies.endpoints}
    if name not in declared and ": " in name:
        head, contrast = name.split(": ", 1)
    else:
        head, contrast = name, ""
    if head not in declared:
        raise BadInput("no endpoint of this name is declared in the release", where="combine", hint=f"declared: {', '.join(declared) or 'none'}")
    settings = {k: v for k, v in declared[head].items() if k != "kind"}
    made: Estimates = build(ENDPOINTS, str(declared[head]["kind"]), settings, section="combine")
    return made, contrast


def read_copies(folder: Path, *, n: int | None) -> Copies:
    """The copies of a release folder (or of its ``release/``), with their model where it was released. Raises BadInput where it is none."""
    home = folder / "release" if (folder / "release").is_dir() else folder
    try:
        about = json.loads((home / "metadata.json").read_text(encoding="utf-8"))
        study = json.loads((home / "study.json").read_text(encoding="utf-8"))
        files, generator = [str(f) for f in about["files"]], str(about["generator"])
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput("this is not a release", where=str(folder), hint="give a folder that `twinset release` wrote") from None
    model = _read_model(home / "model.json")
    if n is None and not study.get("release", {}).get("n", 0):
        n = int(about["rows_per_copy"])  # as many as there were patients
    frames = [_read(home / Path(f).name, study, model) for f in files]
    schema = model.schema if model else _inferred(frames[0])
    private = about.get("differential_privacy") != "none claimed"
    return Copies(tuple(frames), schema, model, tuple(study.get("endpoints", [])), generator, n, private)


def _read(path: Path, study: dict[str, Any], model: MarginalsModel | None) -> pl.DataFrame:
    from twinset.io.read import read_table

    frame = read_table(path)
    if model is None:
        return frame.drop(study.get("release", {}).get("label", "synthetic_id"), strict=False)
    return frame.select(pl.col(c.name).cast(model.dtypes[c.name], strict=False) for c in model.schema)


def _read_model(path: Path) -> MarginalsModel | None:
    from twinset.generators.marginals.saved import from_dict

    if not path.is_file():
        return None
    try:
        return from_dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        raise BadInput("this is not a model that twinset saved", where=path.name, hint="give the release as it was made") from None


def _inferred(frame: pl.DataFrame) -> Schema:
    from twinset.io.infer import infer_schema

    return infer_schema(frame)
