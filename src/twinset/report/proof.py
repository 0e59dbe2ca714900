"""The certificate of a private release as a section of the report: the promise, the attacker's best, the bill, the gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from twinset.report.charts import Estimate, Guide, row, scale_row
from twinset.report.material import Page
from twinset.report.svg import Axis
from twinset.report.words import count, number, sentence, short

HOW = {
    "discrete-gaussian": "counts with discrete Gaussian noise",
    "noisy-max": "choice of what to measure, by noisy maximum",
    "threshold": "levels found in noisy counts, above a public threshold",
    "dp-sgd": "noisy gradients",
}
COIN = Guide(0.5, "chance", "a coin")
CERTAIN = Guide(1.0, "edge", "always right")


@dataclass(frozen=True)
class Bill:
    """All looks of one kind: how many, and what share of the cost."""

    how: str
    looks: str
    rho: str
    share: str


@dataclass(frozen=True)
class Proof:
    """What the section shows, as text and one chart."""

    headline: str
    body: str
    budget: str
    second: str
    scale: Markup
    chart: Markup
    guess: str
    gain: str
    warnings: tuple[str, ...]
    bills: tuple[Bill, ...]
    events: tuple[tuple[str, str, str, str, str], ...]  # name, how, noise, sensitivity, rho
    public: tuple[tuple[str, str, str], ...]  # what, where, who
    gaps: tuple[str, ...]
    head: str


def proof(page: Page) -> Proof | None:
    """The section's content, or ``None`` for a release that promises nothing."""
    if page.certificate is None:
        return None
    told = page.certificate
    who = "row" if told["unit"] == "row" else "patient"
    unit = (
        "row (each taken to be a patient of its own)" if who == "row" else f"patient (column {told['unit']}, at most {count(told['per_patient'], 'row')} each)"
    )
    relation = f"one {who} more or less" if told["relation"] == "add-remove" else f"one {who} exchanged for another; their number is public"
    gain, right = told["attacker"]["advantage"], told["attacker"]["guess"]
    said = f"From this release somebody is right about one {who}'s presence at most {_percent(right)} of the time; 50 % is a coin, 100 % always right."
    axis = Axis(0.45, 1.0, margin=3.0)
    guides = (COIN, CERTAIN)
    return Proof(
        f"ε = {number(told['epsilon'])} at δ = {short(told['delta'])}, promised to each {unit}",
        f"Whatever else somebody knows, {relation} changes the odds of anything read out of this release by at most a factor "
        f"e to the ε, but for a probability of δ. The generator saw the rows through {count(len(told['events']), 'noisy look')} only.",
        _budget(told),
        _second(told),
        scale_row(axis, guides),
        row(axis, guides, [Estimate(right, 0.5, right, "diamond", "made")], said),
        _percent(right),
        number(gain),
        tuple(sentence(w) for w in told["warnings"]),
        _bills(told["events"]),
        tuple((e["name"], HOW.get(e["mechanism"], e["mechanism"]), number(e["noise"]), number(e["sensitivity"]), number(e["rho"])) for e in told["events"]),
        _grouped(told["public"]),
        tuple(sentence(g) for g in told["not_covered"]),
        told["ledger_head"],
    )


def _percent(share: float, *, decimals: int = 1) -> str:
    return f"{100 * share:.{decimals}f} %"


def _budget(told: Mapping[str, Any]) -> str:
    whole = f"All releases of this data set together may spend ε = {number(told['budget'])}."
    return f"This run was allowed ρ = {number(told['rho'])} (zero-concentrated) and spent {number(told['spent']['rho'])}. {whole}"


def _second(told: Mapping[str, Any]) -> str:
    """Both accountants by name, where there are two."""
    if "second" not in told:
        return ""
    other = told["second"]
    return (
        f"The claim is by {told['accountant']}. A second accountant, {other['accountant']}, finds ε = {number(other['epsilon'])} at the same δ for the same looks. Both are true upper bounds; "
        f"the second holds because {other['valid_because']}."
    )


def _bills(events: Sequence[Mapping[str, Any]]) -> tuple[Bill, ...]:
    """The bill by kind of look, dearest first."""
    kinds = dict.fromkeys(e["mechanism"] for e in events)
    total = sum(e["rho"] for e in events) or 1.0
    out = []
    for kind in kinds:
        mine = [e["rho"] for e in events if e["mechanism"] == kind]
        out.append((sum(mine), Bill(HOW.get(kind, kind), f"{len(mine):,}", number(sum(mine)), _percent(sum(mine) / total, decimals=0))))
    return tuple(b for _, b in sorted(out, key=lambda pair: -pair[0]))


def _grouped(public: Sequence[Mapping[str, str]]) -> tuple[tuple[str, str, str], ...]:
    """Lines that say the same of several columns as one."""
    where: dict[tuple[str, str], list[str]] = {}
    for line in public:
        where.setdefault((line["what"], line["declared_by"]), []).append(line["where"])
    return tuple((what, ", ".join(names), who) for (what, who), names in where.items())
