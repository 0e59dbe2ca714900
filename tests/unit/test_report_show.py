"""What stands in a terminal: fits 80 columns, needs no colour, quotes nothing it should not."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from twinset.cli import show
from twinset.errors import PolicyRefused, SchemaMismatch
from twinset.report.material import Page
from twinset.report.notebook import findings_html


def made_up() -> dict[str, Callable[[], Page]]:
    spec = importlib.util.spec_from_file_location("report_pages", Path(__file__).resolve().parents[1] / "golden" / "pages.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PAGES  # type: ignore[no-any-return]


PAGES = made_up()


def shown(page: Page, *, encoding: str = "utf-8", colour: bool = False, out: Path | None = None) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict", write_through=True)
    console = Console(file=stream, width=80, force_terminal=colour, color_system="truecolor" if colour else None, highlight=False, legacy_windows=False)
    show.show_result(page, out, console)
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("name", PAGES)
def test_a_result_fits_eighty_columns(name: str) -> None:
    lines = shown(PAGES[name]()).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 45


def test_the_verdict_comes_first_and_needs_no_colour() -> None:
    text = shown(PAGES["fail"]())
    assert text.startswith("✕ Not released: 1 leak shown, 1 rule broken\n")
    assert "\x1b" not in text
    assert "policy allows 0.60" in " ".join(text.split())
    assert "\x1b[" in shown(PAGES["fail"](), colour=True)


def test_a_terminal_without_our_signs_gets_others() -> None:
    """Catches a UnicodeEncodeError on terminals that speak ASCII only (strict encoding raises)."""
    text = shown(PAGES["fail"](), encoding="ascii")
    assert text.startswith("x Not released: 1 leak shown, 1 rule broken\n")


def test_markup_of_a_study_is_not_markup_of_the_terminal() -> None:
    from dataclasses import replace

    text = shown(replace(PAGES["pass"](), title="[bold red]x[/bold red]", reasons=("[link=x]y",)))
    assert "[bold red]x[/bold red]" in text
    assert "[link=x]y" in text


def test_files_that_exist_are_named(tmp_path: Path) -> None:
    (tmp_path / "custodian").mkdir()
    (tmp_path / "custodian" / "report.html").touch()
    console = Console(file=io.StringIO(), width=200)
    show.show_result(PAGES["fail"](), tmp_path, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "report.html" in text
    assert f"{tmp_path}/release" not in text
    assert "refused" not in text


def test_what_is_in_the_folders_is_said_in_words_that_match(tmp_path: Path) -> None:
    """Catches "may leave, if the verdict says so"."""
    for name in ("custodian", "release"):
        (tmp_path / name).mkdir()
    assert "released: this folder leaves, whole" in shown(PAGES["pass"](), out=tmp_path)
    (tmp_path / "release").rmdir()
    text = shown(PAGES["fail"](), out=tmp_path)
    assert "nothing may leave" in text
    assert "if the verdict says so" not in text


def test_the_promise_the_reason_and_the_attempts_stand_in_the_terminal() -> None:
    lines = " ".join(shown(PAGES["accepted"]()).split())
    assert lines.startswith("? Released: undecided, and accepted by the custodian ! Accepted by the custodian although the tests could not tell: “teaching")
    assert "4th attempt on this table: 3 refused before (seeds 0, 1, 2, 3)" in lines
    private = " ".join(shown(PAGES["decided"]()).split())
    assert private.startswith("✓ Released: private, and within the policy’s limits Promised to each patient: epsilon = 1 at delta = 1e-9.")
    assert "right at most 54.3 % of the time" in private


def test_what_patients_rows_decided_under_a_promise_stays_out_of_the_terminal() -> None:
    from dataclasses import replace

    page = replace(PAGES["certified"](), verdict="fail", released=False, attempts=PAGES["accepted"]().attempts)
    text = shown(page)
    assert text.startswith("✕ Not released\n")
    assert "refused before" not in text
    assert "leak" not in text


def test_an_error_says_what_where_and_what_to_do() -> None:
    out = io.StringIO()
    show.show_error(SchemaMismatch("2 problems:\n  - a\n  - [b]", where="study.toml", hint="look"), Console(file=out, width=80))
    assert out.getvalue() == "error: study.toml: 2 problems:\n  - a\n  - [b]\nhint: look\n"
    out = io.StringIO()
    show.show_error(PolicyRefused(["one", "two"]), Console(file=out, width=80))
    assert out.getvalue() == "error: one; two\n"


def test_a_notebook_table_is_small_and_escaped() -> None:
    html = findings_html(PAGES["unicode"]().result.findings)
    assert "<script" not in html
    assert html.count("<tr>") == html.count("</tr>") > 10
    wide = findings_html(PAGES["wide"]().result.findings)
    assert len(wide) < 60_000
    assert "570 more in .findings" in wide
    assert "<table" in findings_html(())
