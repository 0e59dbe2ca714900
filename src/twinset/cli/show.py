"""What a person sees in the terminal: a verdict, a few numbers on their scale, where the files are. Results on stdout, errors on stderr;
it fits 80 columns and needs neither colour nor a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.box import Box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from twinset.core.finding import Finding
    from twinset.core.scale import Tone
    from twinset.errors import TwinsetError
    from twinset.report.page import Page

WIDTH = 16  # characters of a scale
COLOURS = {"good": "green", "short": "yellow", "bad": "red", "wait": "yellow", "none": "dim"}
ASCII = str.maketrans(
    {
        "✓": "+",
        "✕": "x",
        "▽": "v",
        "–": "-",
        "—": "-",
        "●": "o",
        "━": "=",
        "░": ":",
        "╵": "|",
        "┆": "!",
        "·": ".",
        "─": "-",
        "│": "|",
        "\u00a0": " ",
        "−": "-",
        "×": "x",
        "“": '"',
        "”": '"',
    }
)


def show_result(page: Page, out: Path | None = None, console: Console | None = None) -> None:
    """Prints the verdict with its reasons, a compact table with scales, and where the files are.

    Of a private run only what was paid for, is public or is seen on the synthetic rows: figures of patients' rows stay in the custodian's folder.
    """
    from rich.text import Text

    from twinset.report.decision import accepted, changed, promised, tried
    from twinset.report.words import MARKS, sentence

    console = console or _console(stderr=False)
    hidden = page.certificate is not None and page.decided_by == "real rows"
    head, tone = first_line(page)
    _print(console, Text(f"{MARKS[tone]} {head}", style=f"bold {COLOURS[tone]}"))
    if page.certificate is not None:
        _bullet(console, sentence(promised(page)), " ")
    for line in () if page.certificate is not None else (accepted(page), tried(page)):
        if line:
            _bullet(console, sentence(line), "!", style="yellow")
    _bullet(console, f"{page.title} · {page.generator} · policy: {page.policy}", " ", style="dim")
    if not hidden:
        _reasons(page, console)
    if outside := changed(page.reading):
        _bullet(console, outside, "!", style="yellow")
    if page.certificate is not None:
        _bullet(console, f"decided by {page.decided_by}", "·", style="dim")
    console.print()
    if page.certificate is None:
        _people(page, console)
        for part in _lines(page, console):
            console.print(part)
    else:
        _promise(page, page.certificate, console)
    if out is not None:
        _files(console, out, page)


def _people(page: Page, console: Console) -> None:
    """How many patients and rows, and whether all of them were looked at."""
    from rich.text import Text

    from twinset.report.words import count

    _print(console, Text(f"  {count(page.n_train, 'patient')} in, {count(page.n_synthetic, 'synthetic row')} out, {page.n_holdout:,} held out"))
    if page.result.audited:
        _bullet(console, page.result.audited, "·", style="dim")
    console.print()


def _reasons(page: Page, console: Console) -> None:
    """Why, and what would settle or change it."""
    from twinset.report.words import sentence

    for line in page.reasons:
        _bullet(console, sentence(line), "·")
    for line in page.settles:
        _bullet(console, f"{'would settle it' if page.verdict == 'inconclusive' else 'would change it'}: {line}", "·", style="dim")


def first_line(page: Page) -> tuple[str, Tone]:
    """The first line and its tone; of a private run that patients' rows decided no more than whether it is released."""
    from twinset.report.decision import headline

    head, tone = headline(page)
    if page.certificate is not None and page.decided_by == "real rows":
        return head.partition(":")[0], "good" if page.released else "bad"
    return head, tone


def _promise(page: Page, told: Mapping[str, Any], console: Console) -> None:
    """The certificate in a few lines, and where the rest is."""
    from rich.text import Text

    from twinset.report.words import count, sentence

    _print(console, Text(f"  {count(page.n_synthetic, 'synthetic row')} out"))
    for line in told["warnings"]:
        _bullet(console, sentence(line), "!", style="yellow")
    _bullet(console, "what the tests on the patients' rows say is in custodian/report.html, and stays there", "·", style="dim")


def show_error(error: TwinsetError, console: Console | None = None) -> None:
    """Prints what went wrong, where, and after ``hint:`` what to do. Never a cell value: errors hold none."""
    from rich.text import Text

    console = console or _console(stderr=True)
    message = Exception.__str__(error)
    first, *rest = message.split("\n")
    where = f"{error.where}: " if error.where else ""
    _print(console, Text.assemble(("error: ", "bold red"), where, first))
    for line in rest:
        _print(console, Text(line))
    if error.hint:
        _print(console, Text.assemble(("hint: ", "bold"), error.hint))


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    class Piped(Console):
        """A reader who has seen enough ends the command as any other (rich would end it with 1, which means refused here)."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Piped(stderr=stderr, highlight=False, soft_wrap=False)


def _plain(console: Console) -> bool:
    """Whether the terminal may not know our signs."""
    return not (console.encoding or "").lower().startswith("utf")


def plain_box(console: Console) -> Box:
    """Lines of a table that the terminal can draw."""
    from rich import box

    return box.ASCII if _plain(console) else box.SIMPLE_HEAD


def _known(console: Console, text: str) -> str:
    """The text in signs the terminal has, one for one, so that styles keep their places."""
    return text.translate(ASCII).encode(console.encoding, "replace").decode(console.encoding) if _plain(console) else text


def _print(console: Console, text: Text) -> None:
    text.plain = _known(console, text.plain)
    console.print(text)


def _bullet(console: Console, text: str, sign: str, *, style: str = "") -> None:
    from rich.text import Text

    for i, line in enumerate(textwrap.wrap(text, max(20, console.width - 5), break_on_hyphens=False)):
        _print(console, Text(f"  {' ' if i else sign} {line}", style=style))


def _lines(page: Page, console: Console) -> list[Table | str]:
    """The table of figures, its legend, and how many were not measured."""
    from rich.table import Table
    from rich.text import Text

    from twinset.core.scale import TONES
    from twinset.report import words

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False)
    for low, high in ((None, 33), (WIDTH, WIDTH), (None, 24), (None, None)):
        table.add_column(no_wrap=True, overflow="crop" if _plain(console) else "ellipsis", min_width=low, max_width=high)
    shown = _chosen(page)
    for f in shown:
        limit = page.limit(f)
        stands = page.standing(f)
        told = f" {words.stands(f, stands, limit)}" if console.width >= 104 else ""
        cells = (f"  {words.full_label(f)}", bar(f, limit), words.estimate(f), words.MARKS[TONES[stands]] + told)
        styles = ("", "", "", COLOURS[TONES[stands]])
        table.add_row(*(Text(_known(console, c), style=s) for c, s in zip(cells, styles, strict=True)))
    legend = "  ● this release  ━ its 95 % interval  ░ as good as real  ╵ chance, useless\n  ┆ the policy's limit  ✓ good  ▽ short of real  ? too few patients to tell\n  ✕ useless, leak shown, or beyond the limit  – no judgement"
    missing = sum(not f.measured for f in page.result.findings)
    out: list[Table | str] = [table, "", f"[dim]{_known(console, legend)}[/dim]"] if shown else []
    if missing:
        out.append(f"[dim]  {words.count(missing, 'finding')} not measured: the report says why[/dim]")
    return out


def _chosen(page: Page) -> list[Finding]:
    """The findings a terminal has room for: whole-table fidelity, estimates that agree, and everything the policy limits."""
    from twinset.report.sections import wholes

    measured = [f for f in wholes(page.result.findings) if f.measured]
    wanted = [f for f in measured if f.name.startswith("fidelity.") or f.name == "endpoint.estimate" or page.checked(f)]
    return wanted[:18]


def bar(finding: Finding, limit: float | None, *, width: int = WIDTH) -> str:
    """A measured finding on its scale, ``width`` characters: the terminal's version of the report's strip.

    >>> from twinset.core.finding import Finding
    >>> bar(Finding("fidelity.pairs", 0.06, 0.05, 0.07, 9, "lower", {"floor": 0.05, "holdout": 0.1, "independent": 0.2}), None)
    '─━●━░░────────╵─'
    """
    from twinset.core.scale import scale

    s = scale(finding, limit)
    low, high = s.domain

    def at(value: float) -> int:
        return min(width - 1, max(0, round((value - low) / (high - low) * (width - 1))))

    cells = ["─"] * width
    if s.band:
        for i in range(at(s.band[0]), at(s.band[1]) + 1):
            cells[i] = "░"
    for i in range(at(s.low), at(s.high) + 1):
        cells[i] = "━"
    for value, sign in ((s.useless, "╵"), (s.chance, "╵"), (limit, "┆")):
        if value is not None:
            cells[at(value)] = sign
    cells[at(s.value)] = "●"
    return "".join(cells)


def _files(console: Console, out: Path, page: Page) -> None:
    """What was written, in words that match the verdict."""
    from rich.text import Text

    from twinset.report.decision import leaves

    known = (
        ("release", "released: this folder leaves, whole" if leaves(page) else "not yours to pass on"),
        ("custodian/report.html", "open this first; stays with you"),
        ("custodian/refused", "made and paid for, not released; stays with you"),
        ("custodian", "findings, verdict, ledger, study; stays with you"),
    )
    console.print()
    for name, what in known:
        if (out / name).exists():
            _print(console, Text.assemble(f"  {out / name}", ("  " + what, "dim")))
    if page.released is False and not (out / "release").exists():
        _print(console, Text("  no folder `release`: nothing may leave", style="dim"))
