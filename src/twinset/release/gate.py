"""Findings and a policy in; released or not, with the reason, out. A refusal is a result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from twinset.core.finding import Finding
from twinset.core.scale import needed, standing
from twinset.errors import BadInput
from twinset.release.policy import Check, Policy
from twinset.report.material import Verdict as Ending
from twinset.report.words import count

Outcome = Literal["pass", "not shown", "fail", "inconclusive", "not measured", "does not arise"]
Decider = Literal["real rows", "the certificate and the output"]
ROWS: Decider = "real rows"
OUTPUT: Decider = "the certificate and the output"


@dataclass(frozen=True)
class Judged:
    """One check with its outcome, a sentence that says why, and on how many patients (or rows) it rests."""

    check: Check
    outcome: Outcome
    reason: str
    n: int = 0
    times: float | None = None  # of what is open: so many times as many patients would settle it; None = nobody can say

    def told(self) -> str:
        """The outcome as a recipient may read it: no figure of patients' rows but how many people it rests on."""
        return f"not shown ({self.n:,} people)" if self.outcome == "not shown" else self.outcome


@dataclass(frozen=True)
class Verdict:
    """The decision. ``released``: whether the data may leave under this policy; ``decided_by``: what was looked at for it; ``accepted``: why, where it was not settled."""

    verdict: Ending
    released: bool
    reasons: tuple[str, ...]
    settles: tuple[str, ...]
    judged: tuple[Judged, ...]
    decided_by: Decider = ROWS
    accepted: str = ""

    def to_dict(self, *, coarse: bool = False) -> dict[str, Any]:
        """JSON-ready. ``coarse``: outcomes only, no figure: what may travel with a release."""
        head: dict[str, Any] = {"released": self.released, "verdict": self.verdict, "decided_by": self.decided_by}
        if self.accepted:
            head["accepted"] = self.accepted
        if coarse:
            return head | {"checks": [{"check": _name(j), "outcome": j.told()} for j in self.judged]}
        checks = [{"check": _name(j), "outcome": j.outcome, "finding": j.check.key, "n": j.n, "reason": j.reason} for j in self.judged]
        return head | {"reasons": list(self.reasons), "settles": list(self.settles), "checks": checks}


def decider(policy: Policy, *, private: bool) -> Decider:
    """What decides under this policy. Raises BadInput where the output is to decide and no certificate speaks for it."""
    if policy.decision is None:
        return OUTPUT if private else ROWS
    if policy.decision == "output" and not private:
        raise BadInput(
            "without a section [privacy] nothing but tests on patients' rows speaks for a release",
            where="policy.decision",
            hint='remove it, or set it to "audit"',
        )
    return OUTPUT if policy.decision == "output" else ROWS


def judge(findings: Sequence[Finding], rules: Sequence[Finding], policy: Policy, *, foreign: bool = False) -> Verdict:
    """The verdict of a policy on an audit.

    ``findings``: of all copies; where several match a check the worst decides. ``rules``: of every copy; any broken rule fails.
    A control that fails comes first: what leans on it says nothing. Then a leak, then what could not be told, then use.
    ``foreign``: the table was made elsewhere, so no setting of ours is advised.
    """
    shown = _significant(findings, policy)
    judged = tuple(_judge_one(check, findings, policy, shown) for check in policy.checks)
    broken = list(dict.fromkeys(f.where for f in rules if f.measured and f.value > 0))
    verdict, reasons = _ending(judged, broken)
    unmeasured = tuple(dict.fromkeys(j.check.label or j.check.key for j in judged if j.outcome == "not measured"))
    accepted = verdict == "inconclusive" and policy.accepts and not unmeasured
    if verdict == "inconclusive" and policy.reason.strip() and unmeasured:
        reasons += (
            f"the reason given for releasing what is not settled was read, and does not count while a check could not be measured: {', '.join(unmeasured)}",
        )
    words = (policy.reason.strip() or "the policy releases what is not settled") if accepted else ""
    return Verdict(verdict, verdict == "pass" or accepted, reasons, _settles(judged, foreign=foreign), judged, ROWS, words)


def _ending(judged: Sequence[Judged], broken: Sequence[str]) -> tuple[Ending, tuple[str, ...]]:
    """How it ends, and the reasons of that ending alone, most important first."""

    def of(*rules: str, outcome: Outcome = "fail") -> list[str]:
        return list(dict.fromkeys(j.reason for j in judged if j.check.rule in rules and j.outcome == outcome))

    if control := of("control"):
        return "control unusable", tuple(control)
    leaks = [f"rule {name} is broken in the output" for name in broken] + of("must", "veto")
    unknown = of("must", "veto", outcome="not measured") + of("must", outcome="inconclusive")
    useless = of("useful")
    if leaks:
        return "fail", (*leaks, *unknown)
    if useless:
        return "of no use", (*useless, *unknown)
    return ("inconclusive", tuple(unknown)) if unknown else ("pass", (_passed(judged),))


def _passed(judged: Sequence[Judged]) -> str:
    """What was found, question by question."""
    held = {rule: sum(j.check.rule == rule and j.outcome in ("pass", "not shown") for j in judged) for rule in ("control", "must", "veto", "useful")}
    parts = ["the hold-out is a fair control"] if held["control"] else []
    leaks = [f"{count(held['must'], 'attack')} within the policy's limit"] if held["must"] else []
    leaks += [f"{count(held['veto'], 'test')} that can show a leak but not rule one out"] if held["veto"] else []
    parts += [f"no leak is shown: {' and '.join(leaks)}" if leaks else "no leak was looked for"]
    parts += ["the rows are of use"] if held["useful"] else []
    return "; ".join([*parts, "no rule is broken"])


def _significant(findings: Sequence[Finding], policy: Policy) -> Mapping[str, float]:
    """By check, what its smallest p is held against: Holm (1979) over all vetoes whose finding has a p and that name none of their own."""
    named = {c.key: _least([f for f in _matching(c, findings) if "p" in f.beside]) for c in policy.checks if c.rule == "veto" and not c.p}
    ranked = sorted((p, key) for key, p in named.items() if p is not None)
    out: dict[str, float] = {}
    for i, (p, key) in enumerate(ranked):
        level = policy.level / (len(ranked) - i)
        out[key] = level
        if p > level:  # Holm stops here: nothing after it is shown
            return out | dict.fromkeys((k for _, k in ranked[i + 1 :]), 0.0)
    return out


def _least(exact: Sequence[Finding]) -> float | None:
    """The smallest p of one check over the copies, times how many there are (Bonferroni); ``None`` where there is none."""
    return min(f.beside["p"] for f in exact) * len(exact) if exact else None


def _matching(check: Check, findings: Sequence[Finding]) -> list[Finding]:
    return [f for f in findings if f.name == check.finding and f.measured and (not check.where or f.where == check.where)]


def _judge_one(check: Check, findings: Sequence[Finding], policy: Policy, levels: Mapping[str, float]) -> Judged:
    label = check.label or check.key
    measured = _matching(check, findings)
    if not measured:
        return _missing(check, label, [f for f in findings if f.name == check.finding and (not check.where or f.where == check.where)])
    if check.rule == "useful":
        return _useful(check, label, measured)
    if check.rule == "control":
        worst = min(measured, key=lambda f: f.beside.get("p", 1.0))
        p = worst.beside.get("p", 1.0)
        return Judged(check, "fail" if p < check.limit else "pass", _with_p(label, worst) if p < check.limit else f"{label}: fair", worst.n)
    sign = 1.0 if measured[0].better == "lower" else -1.0
    exact = [f for f in measured if "p" in f.beside and check.rule == "veto"]
    worst = min(exact, key=lambda f: (f.beside["p"], -sign * f.value)) if exact else max(measured, key=lambda f: sign * f.value)
    outcome, words = _exact(check, sign, exact, levels) if exact else _compare(check, sign, worst, policy)
    if outcome == "fail" and exact and worst.says:
        return Judged(check, outcome, _with_p(f"{label}: shown", worst, stop="."), worst.n)
    figure = f"{words}, {_figure(worst.value)} ({_figure(worst.low)} to {_figure(worst.high)})"
    figure += f", p = {worst.beside['p']:.2g}" if check.p else f", the policy allows {_figure(check.limit)}"
    wanted = needed(worst, check.limit) if outcome in ("inconclusive", "not measured") else None
    return Judged(check, outcome, f"{label}: {figure}", worst.n, wanted / worst.n if wanted and worst.n else None)


def _with_p(label: str, worst: Finding, *, stop: str = ":") -> str:
    """A finding's sentence with its p, where the sentence does not say it."""
    said = worst.says.removesuffix(".")
    p = "" if "(chance " in said else f" (p = {worst.beside['p']:.2g})"
    return f"{label}{stop} {said}{p}"


def _missing(check: Check, label: str, named: Sequence[Finding]) -> Judged:
    """Not measured: that refuses, unless the question does not arise, or nobody needs an answer."""
    why = named[0].missing if named else "the audit has no such finding"
    reason = f"{label}: not measured, because {why}"
    if named and not named[0].arises:
        return Judged(check, "does not arise", f"{label}: {why}")
    if not check.needed or check.rule in ("control", "useful"):
        return Judged(check, "does not arise", reason)
    return Judged(check, "not measured", reason)


def _useful(check: Check, label: str, measured: Sequence[Finding]) -> Judged:
    lost = list(dict.fromkeys(f.where or "in all" for f in measured if standing(f) == "useless"))
    names = ", ".join(lost[:6]) + (f" and {len(lost) - 6} more" if len(lost) > 6 else "")
    return Judged(check, "fail" if len(lost) > check.limit else "pass", f"{label}: {names or 'none'}", measured[0].n)


def _exact(check: Check, sign: float, exact: Sequence[Finding], levels: Mapping[str, float]) -> tuple[Outcome, str]:
    """A veto whose finding has an exact p: shown in any copy, or in none."""
    level = (check.p if check.p is not None else levels.get(check.key, 0.0)) / len(exact)
    shown = any(f.beside["p"] <= level and sign * f.value > sign * check.limit for f in exact)
    return ("fail", "shown") if shown else ("not shown", "not shown")


def _compare(check: Check, sign: float, worst: Finding, policy: Policy) -> tuple[Outcome, str]:
    """How a measured check ends by its interval. ``sign`` turns every figure so that lower is better."""
    good, bad = sorted((sign * worst.low, sign * worst.high))
    limit = sign * check.limit
    if good > limit:
        return "fail", "shown"
    if check.rule == "veto":
        return "not shown", "not shown"
    if (worst.high - worst.low) / 2 > policy.power:
        return "not measured", "too few patients to tell"
    if sign * worst.value > limit and _no_chance(worst, good, sign, policy):
        return "fail", "beyond the limit"
    return ("inconclusive", "cannot be ruled out") if bad > limit else ("pass", "within the policy")


def _no_chance(worst: Finding, good: float, sign: float, policy: Policy) -> bool:
    """Whether an estimate beyond its limit is more than luck: by its exact p at the policy's level over all musts, else by its interval. Else it is not settled."""
    if "p" in worst.beside:
        return worst.beside["p"] <= policy.level / max(1, sum(c.rule == "must" for c in policy.checks))
    return good > sign * worst.beside.get("chance", -math.inf * sign)


def _settles(judged: Sequence[Judged], *, foreign: bool) -> tuple[str, ...]:
    failed = {j.check.finding for j in judged if j.outcome == "fail"}
    if any(j.check.rule == "control" and j.outcome == "fail" for j in judged):
        return ("a hold-out drawn by lot from the same table, by patient, before anything was fitted: `twinset split` makes one",)
    out = []
    if any(name.startswith(("membership.", "privacy.")) for name in failed):
        out.append("columns in which fewer patients stand alone: dates as months, numbers with fewer digits, rare levels joined, or fewer columns")
        if foreign:
            out.append("a generator that leans less on single patients")
        else:
            out.append("a generator or a setting that leans less on single patients than this one (docs: generators)")
            out.append("a private run, in which no patient can weigh more than the budget allows: `twinset init --private`")
    if any(name.startswith("fidelity.") for name in failed):
        out.append("a generator that keeps these columns, or a release without them")
    return (*out, *_more([j for j in judged if j.outcome in ("inconclusive", "not measured")]))


def _more(open_: Sequence[Judged]) -> tuple[str, ...]:
    """How many patients would settle what stayed open: widths shrink with the root of their number."""
    if not open_:
        return ()
    times = [j.times for j in open_ if j.times is not None]
    if len(times) < len(open_):
        return ("many more patients (`holdout.fraction` moves some to the hold-out): with this table it cannot be settled",)
    return (f"about {max(1.1, *times):.1f} times as many patients, or more of them held out (`holdout.fraction`)",)


def _name(judged: Judged) -> str:
    return judged.check.label or judged.check.key


def _figure(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 0.1 and value else f"{value:.2f}"
