"""Twenty real tables, drafts as made: no page contradicts itself, and exit codes match headlines."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from twinset.cli.app import run
from twinset.core.scale import scale
from twinset.release.page_file import read_page
from twinset.report.contradictions import contradictions
from twinset.report.decision import decision
from twinset.report.material import Page

TABLES = (
    *("actg175", "actg320", "bladder1", "breast_cancer_ljubljana", "cdystonia", "cervical", "cgd", "colon", "cytomegalovirus", "flchain"),
    *("gbsg", "haberman", "hcc", "heart_disease", "heart_failure", "indo_rct", "mgus2", "pbc", "pima", "rotterdam"),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_no_page_contradicts_itself(shared_data: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(shared_data / f"{name}.csv", tmp_path / "t.csv")
    assert run(["init", str(tmp_path / "t.csv"), "-o", str(tmp_path / "study.toml")]) == 0
    code = run(["release", str(tmp_path / "study.toml"), "-o", str(tmp_path / "out"), "--set", "audit.refits=20"])
    page = read_page(tmp_path / "out" / "custodian" / "page.json")
    assert contradictions(page) == ()
    assert code == (0 if page.released else 1)
    assert (tmp_path / "out" / "release").exists() == bool(page.released)
    assert decision(page).headline.startswith("Released" if page.released else "Not released")
    assert not ticks_on_nothing(page)


def ticks_on_nothing(page: Page) -> list[str]:
    """Figures called good whose interval spans half of the way from real to useless, worked out from the page alone."""
    out = []
    for f in page.result.findings:
        if f.measured and page.standing(f) == "good":
            s = scale(f, page.limit(f))
            start = s.chance if s.chance is not None else s.real[0] if s.real else None
            if start is not None and s.useless is not None and f.high - f.low > 0.5 * abs(s.useless - start) + 1e-9:
                out.append(f"{f.name} {f.where}")
    return out
