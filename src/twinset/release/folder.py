"""The release folder: ``release/`` may leave, ``custodian/`` must stay. Written beside and renamed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from twinset.audit.endpoints.synthesis import DECLARE, HELD, changed, holds
from twinset.core.cohort import Cohort
from twinset.core.contracts import AuditResult
from twinset.core.refits import Refits
from twinset.generators import GENERATORS
from twinset.io.place import new_folder
from twinset.io.write import write_table
from twinset.release import analyses, howto
from twinset.release.gate import OUTPUT, Verdict
from twinset.release.page_file import page_dict
from twinset.release.texts import (
    ACCEPTED,
    ANALYSIS_ALONE,
    ANALYSIS_MODEL,
    ANALYSIS_NONE,
    ANALYSIS_REFITS,
    ANALYSIS_T_S,
    CLAIM,
    CONFIRM,
    COUNTS,
    CUSTODIAN_README,
    LEFT_OUT,
    NO_CLAIM,
    README,
    STAYS,
    TRIED,
    UNLISTED,
)
from twinset.report.page import Page, render, render_compare


@dataclass(frozen=True)
class Made:
    """Everything one run made, before anything is written."""

    study: str  # the resolved study, JSON: custodian only
    page: Page
    verdict: Verdict
    copies: tuple[Cohort, ...]
    results: tuple[AuditResult, ...]  # one per copy; of several, one more: the attacks on all of them together
    public_study: str  # without private bounds
    format: str = "csv"
    label: str = "synthetic_id"
    model: Mapping[str, Any] | None = None  # saved, where it is made of paid answers only and may leave
    left_out: tuple[tuple[str, str], ...] = ()  # columns of the source that are not released, each with the reason
    analyses: tuple[Refits, ...] = ()  # of an open run: what refits say of each declared analysis, for the mean over all copies
    tested: Verdict | None = None  # what the checks on patients' rows said, where they did not decide: custodian only

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the release folder (or, refused, the custodian half alone) and give its path."""
        return write(self, Path(folder), overwrite=overwrite)

    def __repr__(self) -> str:
        rows = f"{len(self.copies)} x {len(self.copies[0]):,} rows" if self.copies else "no rows"
        verdict = f"verdict = {self.verdict.verdict}, " if self.seen else ""
        return f"Release({self.page.title!r}, {self.page.generator}, {rows}, {verdict}released = {self.verdict.released})"

    def _repr_html_(self) -> str:
        from twinset.report.notebook import findings_html

        head = "Released" if self.verdict.released else "Not released"
        if self.page.certificate is None:
            return f"<p><strong>{head}</strong> ({self.verdict.verdict})</p>" + findings_html(self.results[0].findings)
        return f"<p><strong>{head}</strong>, decided by {self.verdict.decided_by}. {STAYS}</p>"

    def told_analyses(self) -> list[dict[str, Any]]:
        """What ``analyses.json`` holds: each declared analysis with its interval for the population; empty of a private run."""
        return analyses.told(self.analyses, self.results, len(self.copies)) if self.page.certificate is None else []

    @property
    def patients(self) -> int | None:
        """How many patients the generator saw, where that may leave: ``None`` of a private run."""
        return self.page.n_train if self.page.certificate is None else None

    @property
    def seen(self) -> bool:
        """Whether the verdict may be seen outside the custodian's folder in full: not where it was made of patients' rows under a promise."""
        return self.page.certificate is None or self.verdict.decided_by == OUTPUT


def write(made: Made, folder: Path, *, overwrite: bool = False) -> Path:
    """Write both halves; where the policy refused, only ``custodian/``. Raises OutputProblem, leaving nothing half-written.

    A refused release that was decided on its output is kept in ``custodian/refused``: it was paid for, and is as private as if it had passed.
    """
    with new_folder(folder, overwrite=overwrite) as temporary:
        write_custodian(made, temporary / "custodian")
        if made.verdict.released:
            write_release(made, temporary / "release")
        elif made.verdict.decided_by == OUTPUT:
            write_release(made, temporary / "custodian" / "refused")
    return folder


def write_custodian(made: Made, folder: Path) -> None:
    """Full report, findings, verdict, ledger, study: they were computed on real rows and must stay."""
    folder.mkdir(parents=True)
    marks: list[dict[str, Any]] = [{"copy": i} for i in range(1, len(made.copies) + 1)] if len(made.copies) > 1 else [{}]
    findings = [f.to_dict() | mark for mark, r in zip([*marks, {"copy": "all"}], made.results, strict=False) for f in r.findings]
    _json(folder / "findings.json", findings)
    _json(folder / "verdict.json", made.verdict.to_dict() | ({"advice": made.tested.to_dict()} if made.tested else {}))
    _json(folder / "ledger.json", made.page.ledger)
    _json(folder / "page.json", page_dict(made.page))
    _text(folder / "study.json", made.study)
    _text(folder / "report.html", render(made.page))
    _text(folder / "README.txt", CUSTODIAN_README)


def write_audit(result: AuditResult, verdict: Verdict, page: Page, folder: Path) -> None:
    """The custodian half for a table that somebody else made."""
    folder.mkdir(parents=True)
    _json(folder / "findings.json", [f.to_dict() for f in result.findings])
    _json(folder / "verdict.json", verdict.to_dict())
    _json(folder / "page.json", page_dict(page))
    _text(folder / "report.html", render(page))


def write_compare(made: Sequence[Made], folder: Path) -> None:
    """One page for several generators, and each one's findings."""
    folder.mkdir(parents=True)
    _text(folder / "compare.html", render_compare([m.page for m in made]))
    _json(
        folder / "compare.json",
        [{"generator": m.page.generator, "verdict": m.verdict.to_dict(), "findings": [f.to_dict() for f in m.results[0].findings]} for m in made],
    )


def write_release(made: Made, folder: Path) -> None:
    """Data, dictionary, README, study without private bounds, coarse verdict, checksums: what may leave."""
    folder.mkdir(parents=True)
    names = []
    for number, cohort in enumerate(made.copies, start=1):
        name = f"synthetic{'' if len(made.copies) == 1 else f'-{number}'}.{made.format}"
        write_table(labelled(cohort.frame, made.label, number), folder / name)
        names.append(name)
    write_table(dictionary(made), folder / "data-dictionary.csv")
    _json(folder / "verdict.json", told(made))
    if told_analyses := made.told_analyses():
        _json(folder / "analyses.json", told_analyses)
    if made.page.certificate is not None:
        _json(folder / "certificate.json", made.page.certificate)
    if made.model is not None:
        _text(folder / "model.json", json.dumps(made.model, ensure_ascii=False, allow_nan=False) + "\n")
    _json(folder / "metadata.json", metadata(made, names))
    _text(folder / "study.json", made.public_study)
    _text(folder / "README.md", recipient_readme(made, names))
    sums = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}" for p in sorted(folder.iterdir())]
    _text(folder / "SHA256SUMS", "\n".join(sums) + "\n")


def told(made: Made) -> dict[str, Any]:
    """The verdict as a recipient (and a terminal) may read it: outcomes without figures; of a private release the figures too, where it was
    decided on what is released, else only that it was released.
    """
    if made.page.certificate is None:
        return made.verdict.to_dict(coarse=True) | _tries(made.page)
    if made.seen:
        return made.verdict.to_dict()
    return {
        "released": made.verdict.released,
        "decided_by": made.verdict.decided_by,
        "checks": "not part of a private release: they were computed on the patients' rows, which the certificate does not cover",
    }


def _tries(page: Page) -> dict[str, Any]:
    """How often this table was tried before, for the recipient of a release that was judged on patients' rows."""
    return {"attempts": {k: v for k, v in asdict(page.attempts).items() if k != "seeds"}} if page.attempts else {}


def labelled(frame: pl.DataFrame, label: str, number: int) -> pl.DataFrame:
    """The frame with a first column that marks every row as synthetic (``SYN-1-000001``), unless ``label`` is ""."""
    if not label:
        return frame
    width = max(6, len(str(frame.height)))
    name = label
    while name in frame.columns:
        name += "_"
    marks = pl.Series(name, [f"SYN-{number}-{i:0{width}d}" for i in range(1, frame.height + 1)])
    return pl.DataFrame([marks, *frame.get_columns()])


def dictionary(made: Made) -> pl.DataFrame:
    """One line per released column: name, type, role, description. No bounds or levels read from the rows."""
    study = json.loads(made.public_study)["columns"]
    rows = [
        {
            "column": c.name,
            "type": c.kind,
            "role": c.role,
            "description": c.description,
            "declared_levels": "; ".join(str(v) for v in study.get(c.name, {}).get("levels", [])),
            "origin": "synthetic",
        }
        for c in made.copies[0].schema
    ]
    mark = {"column": made.label, "type": "text", "role": "", "description": "marks the row as synthetic", "declared_levels": "", "origin": "synthetic"}
    return pl.DataFrame([mark, *rows] if made.label else rows)


def metadata(made: Made, names: Sequence[str]) -> dict[str, Any]:
    """Machine-readable label of the release."""
    return {
        "synthetic": True,
        "title": made.page.title,
        "generator": made.page.generator,
        "copies": len(made.copies),
        "rows_per_copy": len(made.copies[0]),
        **({} if made.patients is None else {"patients": made.patients}),
        "files": list(names),
        "differential_privacy": _claim(made.page),
        "versions": {k: v for k, v in made.page.provenance.items() if k not in ("study", "table", "seed", "hold-out seed", "audit seed")},
    }


def _claim(page: Page) -> str | dict[str, Any]:
    return {k: page.certificate[k] for k in ("unit", "relation", "epsilon", "delta", "rho")} if page.certificate else "none claimed"


def recipient_readme(made: Made, names: Sequence[str]) -> str:
    """The README that travels with a release: what it is, what it is for, what it does not promise."""
    page = made.page
    proof = page.certificate
    claim = (
        NO_CLAIM.format(counts=COUNTS if _keeps_counts(made) else "", **_judged(page))
        if proof is None
        else CLAIM.format(unit="row (each is taken for a patient)" if proof["unit"] == "row" else f"patient (`{proof['unit']}`)", **_told(proof))
    )
    return README.format(
        title=page.title,
        proof="* `certificate.json`: what privacy is promised, what it cost, and what is not covered\n" if proof else "",
        files="\n".join(f"* `{n}`: {len(made.copies[0]):,} **synthetic** rows" for n in names),
        generator=page.generator,
        audience=page.audience,
        label=f"Every row carries a mark in the column `{made.label}`." if made.label else "",
        claim=claim,
        left_out=LEFT_OUT.format(columns=", ".join(f"`{name}` ({why})" for name, why in made.left_out)) if made.left_out else "",
        unlisted=_unlisted(page.unlisted),
        analysis=_analysis(made),
        howto=_howto(made, names),
        analyses="* `analyses.json`: the declared analyses, each with an interval for the population\n" if made.told_analyses() else "",
        model=f"* `model.json`: the fitted model ({len(json.dumps(made.model)) / 1000:,.0f} kB), for `twinset.combine`\n" if made.model is not None else "",
    )


def _analysis(made: Made) -> str:
    """How to get from these rows to an interval, where a way was tested."""
    if made.model is not None:
        return ANALYSIS_MODEL
    refitted = (ANALYSIS_REFITS if made.told_analyses() else "") + _without_refits(made)
    if _by_t_s(made):
        return refitted + ANALYSIS_T_S.format(held=HELD[made.page.generator].says(made.page.n_train)) + CONFIRM
    declare = f", or {DECLARE}" if made.page.certificate is None else ""
    return refitted + ANALYSIS_NONE.format(other="For other analyses no" if made.told_analyses() else "No", declare=declare) + CONFIRM


def _without_refits(made: Made) -> str:
    """Which declared analyses have no interval of their own in an open release; of a private one nothing, for that hangs on patients' rows."""
    told = {(e["endpoint"], e["contrast"]) for e in made.told_analyses()}
    names = dict.fromkeys(c.endpoint for c in made.results[0].comparisons if (c.endpoint, c.train.contrast) not in told)
    return ANALYSIS_ALONE.format(names=", ".join(f"`{n}`" for n in names)) if names and made.page.certificate is None else ""


def _by_t_s(made: Made) -> bool:
    """Whether T_s was tested for what made these copies."""
    name = made.page.generator
    if made.page.certificate is not None or name not in HELD:
        return False
    return holds(name, changed(json.loads(made.public_study)["generator"], GENERATORS[name]))


def _howto(made: Made, names: Sequence[str]) -> str:
    """Lines to run, for the first declared analysis and for one of the reader's own."""
    entries = made.told_analyses()
    first = howto.declared(entries[0]) if entries else ""
    return first + (howto.own(made.copies[0].schema, names, n=made.page.n_train) if _by_t_s(made) else "")


def _keeps_counts(made: Made) -> bool:
    """Whether the generator deals events and outcomes by the arm, so that their counts are train's."""
    settings = json.loads(made.public_study)["generator"]
    return made.page.generator == "trees" and bool(settings.get("by_arm", True)) and bool(made.copies[0].schema.with_role("arm"))


def _judged(page: Page) -> dict[str, str]:
    """What a recipient should know of how it was judged: why it was released unsettled, and how often it was tried."""
    tried = TRIED.format(**asdict(page.attempts)) if page.attempts and page.attempts.number > 1 else ""
    return {"accepted": ACCEPTED.format(reason=page.accepted) if page.accepted else "", "tried": tried}


def _unlisted(shares: Mapping[str, float]) -> str:
    """Which columns have more than one patient in a hundred in levels that were not found."""
    found = [f"`{name}` {100 * share:.0f} %" for name, share in sorted(shares.items(), key=lambda pair: -pair[1]) if share > 0.01]
    return UNLISTED.format(columns=", ".join(found)) if found else ""


def _told(proof: Mapping[str, Any]) -> dict[str, Any]:
    relation = "one patient more or less" if proof["relation"] == "add-remove" else "one patient exchanged for another"
    return {"epsilon": proof["epsilon"], "delta": proof["delta"], "relation": relation, "says": proof["attacker"]["says"]}


def _json(path: Path, data: object) -> None:
    _text(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
