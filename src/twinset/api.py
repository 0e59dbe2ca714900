"""The verbs of the command line, for a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import polars as pl

    from twinset.asking.answer import Answers
    from twinset.core.contracts import Generator
    from twinset.core.finding import Finding
    from twinset.core.schema import Schema
    from twinset.inference.found import Inference
    from twinset.release.folder import Made
    from twinset.release.gate import Verdict
    from twinset.report.page import Page
    from twinset.study import Study
    from twinset.sweeping.run import Swept

Frame = TypeVar("Frame")


def synthesize(  # noqa: PLR0913
    frame: Frame,
    generator: str = "trees",
    *,
    epsilon: float | None = None,
    delta: float = 1e-9,
    unit: str = "row",
    study: Study | str | Path | None = None,
    kinds: Mapping[str, str] | None = None,
    n: int | None = None,
    seed: int | None = None,
    settings: dict[str, Any] | None = None,
) -> Frame:
    """A synthetic table of the caller's kind (polars, pandas or Arrow), ``n`` rows (default: as many as given).

    Direct identifiers and free text are left out; a warning counts them. Nothing is audited and no rule is enforced. To share
    data, use :func:`release`. ``settings`` are the generator's (``{"leaf": 10}``). ``seed=None`` draws one from the operating system.

    Without ``epsilon`` the generator sees every row and nothing here is differentially private. With it (``aim``, ``mst``) this one
    table is, at (``epsilon``, ``delta``), for each ``unit`` (``"row"``, or the patient column, of which the study's ``per_patient``
    rows are used, else one); by default a noisy number of rows is drawn. The domain and rules that a ``study`` declares public are
    free; without one, ``kinds`` says what the columns are ({"age": "integer", "sex": "category"}): of pandas every one, as pandas chooses types by looking
    at cells; in polars and Arrow the others are what their types say, which are your word. The frame decides only the library of what comes out; its
    column types follow from the declarations (docs/python.md). Each cell is read by its own column's
    declaration alone; what cannot be read so is missing. Everything else is found within ``epsilon``. Where the ``study``'s table has a ledger each call
    is a run in it, reserved first and settled after, on the ``relation`` and ``budget`` of the study's section ``[privacy]``: whatever rows the frame holds,
    it costs that table's patients ``epsilon``, and a call without ``epsilon`` is written there as one that saw the rows. Otherwise no ledger is kept: calls
    add up, and adding them up is yours to do.

    Raises BadInput for an unknown generator or setting, and for a table that cannot be used; BudgetExhausted where a generator
    that needs the rows is given an ``epsilon``, or where the ledger has not that much left.
    """
    import secrets
    import warnings

    from twinset.checking.plugins import build
    from twinset.core.cohort import Cohort
    from twinset.core.seeds import stream
    from twinset.errors import BadInput
    from twinset.generators import GENERATORS
    from twinset.io.declared import as_declared
    from twinset.io.frames import back, back_declared, cells_of, to_polars
    from twinset.synthesis import fit, schema_of, written
    from twinset.table import fitted

    if n is not None and n < 1:
        raise BadInput("`n` must be at least 1", where="synthesize", hint="leave it out for as many rows as given")
    loaded = load_study(study) if isinstance(study, str | Path) else study
    private = epsilon is not None
    how, patient = written(loaded), "" if unit == "row" else unit
    table = cells_of(frame, by_cell=True, decimal=how.decimal, unit=patient) if private else to_polars(frame)
    schema = schema_of(frame, table, loaded, kinds, unit=unit, private=private)
    left_out = len(schema) - len(schema.synthesised) - bool(schema.unit)
    if not len(schema.synthesised) or not (private or table.height):
        raise BadInput("there is nothing to synthesise", where="synthesize", hint="every column is an identifier or free text, or there are no rows")
    if left_out:
        warnings.warn(f"{left_out} column(s) recognised as identifiers or free text were left out", stacklevel=2)
    seed = secrets.randbits(63) if seed is None else seed
    cohort = Cohort(as_declared(table, schema, how).frame if private else table.select(schema.names), schema)
    if loaded is not None and not private:
        cohort = fitted(loaded, {"frame": cohort}, cohort)[1]
    made_by = build(GENERATORS, generator, settings or {}, section="synthesize")
    model, rows = fit(made_by, cohort, loaded, (generator, epsilon, delta, unit), stream(seed, "fit"))
    drawn = model.sample(rows if n is None else n, stream(seed, "sample", 1)).frame
    made: Frame = back_declared(drawn, schema, frame) if private else back(drawn, frame)
    return made


def load_study(path: str | Path, *overrides: str) -> Study:
    """The study in a TOML file; ``overrides`` are ``"generator.leaf=10"``. Raises StudyInvalid with all problems."""
    from twinset.study import load

    return load(path, overrides=overrides)


def release(study: Study | str | Path, folder: str | Path | None = None, *, overwrite: bool = False, workers: int = 1) -> Made:
    """Make the release of a study (an object, or a path to its TOML file); written to ``folder`` if one is given.

    The result holds ``copies`` (cohorts), ``verdict``, ``results`` (findings) and shows itself in a notebook.
    A refusal is a result: look at ``verdict.released``. ``workers``: processes at once where refits take long; a script that asks for several needs
    the usual ``if __name__ == "__main__":``.
    """
    from twinset.pipeline import release as make
    from twinset.study import Study

    made = make(study if isinstance(study, Study) else load_study(study), workers=workers)
    if folder is not None:
        made.save(folder, overwrite=overwrite)
    return made


def combine(  # noqa: PLR0913
    release: Made | str | Path | Sequence[Any],
    analysis: Any,
    *,
    n: int | None = None,
    generator: str = "",
    runs: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Inference:
    """What an analysis of the synthetic copies says about the population: estimate, honest standard error, interval.

    ``release``: the folder that was released (or what :func:`release` gave, or the copies as frames). ``analysis``: a function that takes a
    polars frame and gives ``(estimate, standard error)`` or an estimate, an endpoint, or the name of one that the release declares
    (``"name: contrast"`` where it has several); it must bear missing values, and give NaN where there is nothing to estimate.

    A declared analysis of an open release, by its name, has the interval that the release holds for it (``analyses.json``): from refits on resampled
    patients, at any ``level``; nothing is drawn here. A private release of ``aim`` or ``mst`` holds its model: ``runs`` times patients are drawn from it,
    measured with the noise that was really used, fitted again, and analysed (parametric bootstrap; post-processing, so it costs no budget). The interval is
    normal, about the estimate less its bias. For any other analysis of copies of ``trees`` at default settings it is T_s = v (k/n + 1/m) (Raab, Nowok and
    Dibben 2016), which needs the standard error and ``n``, the number of real patients; it is wider than need be, and ``says`` tells how far. Frames do not know
    who made them: give ``generator``. No rule covers a model that is wrong; see ``silent_on``. Not for picking the copy that looks best.

    Raises BadInput where no rule was tested: a private release without its model, ``trees`` at other settings or of an older version, copies of any other
    generator, an analysis that fails under the noise; and where a release does not say how a named analysis was declared.
    """
    from twinset.inference import infer_population
    from twinset.inference.copies import copies_of

    return infer_population(copies_of(release, n=n, generator=generator), analysis, runs=runs, level=level, seed=seed)


def sweep(  # noqa: PLR0913
    study: Study | str | Path,
    folder: str | Path,
    *,
    epsilons: Sequence[float] = (1, 2, 5, 10, 20, 50, 100),
    generators: Sequence[str] = ("aim",),
    repeats: int = 3,
    publish: bool = False,
    workers: int = 1,
    overwrite: bool = False,
) -> Swept:
    """The privacy-utility frontier of a study, in ``folder``: fidelity, endpoints and attacks at several epsilons.

    The result holds ``points`` (what ``custodian/sweep.json`` holds), ``epsilon`` (the smallest that costs nothing, or ``None``) and
    ``advice`` (with the reason). Stays with the custodian: to choose by looking at it is a look at patients. Interrupted or killed, the same call goes
    on where it was. A script that asks for several ``workers`` needs the usual ``if __name__ == "__main__":``. See docs/sweep.md.
    Raises BadInput for a study, list or folder that cannot be used; BudgetExhausted where ``publish`` costs more than the ledger has.
    """
    from twinset.study import Study
    from twinset.sweeping.grid import grid
    from twinset.sweeping.run import sweep as run

    asked = grid(epsilons, generators, repeats=repeats, publish=publish)
    loaded = study if isinstance(study, Study) else load_study(study)
    return run(loaded, asked, Path(folder), workers=workers, overwrite=overwrite)


def ask(study: Study | str | Path, questions: str | Sequence[str], *, epsilon: float) -> Answers:
    """Answers about a study's patients with noise and intervals, for ``epsilon`` in all, where no table is wanted.

        twinset.ask("study.toml", ["count() by arm", "mean(age) by arm"], epsilon=0.5)

    Billed to the ledger that releases of the same data set are billed to; the study declares the terms under ``[privacy]``, ``budget`` included.
    Each answer has a value, a 95 % interval (sampling and noise), its noise, and a sentence on what it does not show; all of it may leave, with its
    ``certificate``. What may be asked: docs/ask.md. Many questions of one table are answered better by a release.
    Raises BadInput (nothing is spent) where a question cannot be answered as declared; BudgetExhausted where the ledger refuses.
    """
    from twinset.asking.ask import ask as run
    from twinset.study import Study

    loaded = study if isinstance(study, Study) else load_study(study)
    return run(loaded, [questions] if isinstance(questions, str) else list(questions), epsilon=epsilon)


@dataclass(frozen=True, repr=False)
class Audit:
    """What an audit found; shows itself in a notebook."""

    findings: tuple[Finding, ...]
    verdict: Verdict
    page: Page

    def to_frame(self) -> pl.DataFrame:
        """One row a finding; ``beside`` as columns."""
        import polars as pl

        rows = [{k: v for k, v in f.to_dict().items() if k != "beside"} | {f"beside_{k}": v for k, v in f.to_dict()["beside"].items()} for f in self.findings]
        return pl.DataFrame(rows, infer_schema_length=None)

    def to_html(self) -> str:
        """The whole report as one self-contained page."""
        from twinset.report.page import render

        return render(self.page)

    def __repr__(self) -> str:
        measured = sum(f.measured for f in self.findings)
        return f"Audit({measured} findings, {len(self.findings) - measured} not measured, verdict = {self.verdict.verdict})"

    def _repr_html_(self) -> str:
        from twinset.report.notebook import findings_html

        return findings_html(self.findings)


def audit(*, train: Any, holdout: Any = None, synthetic: Any, study: Study | str | Path | None = None, seed: int = 0) -> Audit:
    """The audit of a synthetic table that anyone made, against the patients it was made from.

    ``train``: the rows its generator saw; ``holdout``: patients of the same population it never saw (without them nothing
    about privacy can be measured). Frames of any common kind. ``study`` brings the schema, rules, endpoints and policy;
    without it one schema is inferred from all tables: columns that are not in all of them are left out, identifiers are not compared, and rows that a
    patient number joins are one patient's (the finding ``audit.columns`` says so). Raises SchemaMismatch where nothing is left to compare, or the
    study's columns are not there.
    """
    from twinset.examine import examine
    from twinset.io.frames import to_polars

    loaded = load_study(study) if isinstance(study, str | Path) else study
    frames = [None if f is None else to_polars(f) for f in (train, holdout, synthetic)]
    result, verdict, page = examine(frames[0], frames[1], frames[2], study=loaded, seed=seed)
    return Audit(result.findings, verdict, page)


def infer(frame: Any) -> Schema:
    """The schema that Twinset reads out of a frame: kinds, roles, identifiers. Everything in it is private in origin."""
    from twinset.io.frames import to_polars
    from twinset.io.infer import infer_schema

    return infer_schema(to_polars(frame))


def plugins() -> dict[str, Sequence[str]]:
    """The registered names of every kind of plug-in."""
    from twinset.audit.endpoints import ENDPOINTS
    from twinset.audit.fidelity import FIDELITY
    from twinset.audit.privacy import ATTACKS, PRIVACY
    from twinset.generators import GENERATORS

    return {r.kind: r.names() for r in (GENERATORS, FIDELITY, PRIVACY, ATTACKS, ENDPOINTS)}


def check_generator(generator: Generator, *, seed: int = 0) -> None:
    """Run the contract of a generator on small made-up tables; AssertionError with a sentence where a promise is broken.

    For authors of plug-ins: ``check_generator(Mine())`` is what our own generators pass (:mod:`twinset.checks`).
    """
    from twinset.checks import check_generator as check

    check(generator, seed=seed)
