"""The verbs of the command line, for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import polars as pl

    from twinset.core.contracts import Generator
    from twinset.core.finding import Finding
    from twinset.core.schema import Schema
    from twinset.release.folder import Made
    from twinset.release.gate import Verdict
    from twinset.report.page import Page
    from twinset.study import Study

Frame = TypeVar("Frame")


def synthesize(frame: Frame, generator: str = "trees", *, n: int | None = None, seed: int | None = None, settings: dict[str, Any] | None = None) -> Frame:
    """A synthetic table of the caller's kind (polars, pandas or Arrow), ``n`` rows (default: as many as given).

    Direct identifiers and free text are left out; a warning counts them. The generator sees every row: nothing here is
    differentially private, nothing was audited, no rule was enforced. To share data, use :func:`release`.
    ``settings`` are the generator's (``{"leaf": 10}``). ``seed=None`` draws one from the operating system.

    Raises BadInput for an unknown generator or setting, and for a table that cannot be used.
    """
    import secrets
    import warnings

    from twinset.core.cohort import Cohort
    from twinset.core.seeds import stream
    from twinset.dp.ledger import Ledger
    from twinset.dp.vault import Vault
    from twinset.errors import BadInput
    from twinset.generators import GENERATORS
    from twinset.io.frames import back, to_polars
    from twinset.io.infer import infer_schema
    from twinset.study import build

    if n is not None and n < 1:
        raise BadInput("`n` must be at least 1", where="synthesize", hint="leave it out for as many rows as given")
    table = to_polars(frame)
    schema = infer_schema(table)
    left_out = len(schema) - len(schema.synthesised)
    if not len(schema.synthesised) or not table.height:
        raise BadInput("there is nothing to synthesise", where="synthesize", hint="every column is an identifier or free text, or there are no rows")
    if left_out:
        warnings.warn(f"{left_out} column(s) recognised as identifiers or free text were left out", stacklevel=2)
    seed = secrets.randbits(63) if seed is None else seed
    model = build(GENERATORS, generator, settings or {}, section="synthesize").fit(Vault(Cohort(table, schema), Ledger()), stream(seed, "fit"))
    made: Frame = back(model.sample(table.height if n is None else n, stream(seed, "sample", 1)).frame, frame)
    return made


def load_study(path: str | Path, *overrides: str) -> Study:
    """The study in a TOML file; ``overrides`` are ``"generator.leaf=10"``. Raises StudyInvalid with all problems."""
    from twinset.study import load

    return load(path, overrides=overrides)


def release(study: Study | str | Path, folder: str | Path | None = None, *, overwrite: bool = False) -> Made:
    """Make the release of a study (an object, or a path to its TOML file); written to ``folder`` if one is given.

    The result holds ``copies`` (cohorts), ``verdict``, ``results`` (findings) and shows itself in a notebook.
    A refusal is a result: look at ``verdict.released``.
    """
    from twinset.pipeline import release as make
    from twinset.study import Study

    made = make(study if isinstance(study, Study) else load_study(study))
    if folder is not None:
        made.save(folder, overwrite=overwrite)
    return made


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
    without it the schema is inferred. Raises SchemaMismatch where the tables do not have the same columns.
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
