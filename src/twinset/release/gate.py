"""Findings and a policy in; pass, fail or inconclusive out, with reasons. A refusal is a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from twinset.core.finding import Finding
from twinset.errors import BadInput
from twinset.release.policy import Check, Policy

Outcome = Literal["pass", "fail", "inconclusive", "not measured"]
Ending = Literal["pass", "fail", "inconclusive", "control unusable", "of no use"]
Decider = Literal["real rows", "the certificate and the output"]
ROWS: Decider = "real rows"
OUTPUT: Decider = "the certificate and the output"


@dataclass(frozen=True)
class Judged:
    """One check with its outcome and a sentence that says why."""

    check: Check
    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class Verdict:
    """The decision. ``released``: whether the data may leave under this policy; ``decided_by``: what was looked at for it."""

    verdict: Ending
    released: bool
    reasons: tuple[str, ...]
    settles: tuple[str, ...]
    judged: tuple[Judged, ...]
    decided_by: Decider = ROWS

    def to_dict(self, *, coarse: bool = False) -> dict[str, Any]:
        """JSON-ready. ``coarse``: outcomes only, no figure: what may travel with a release."""
        checks = [
            {"check": j.check.label or j.check.key, "outcome": j.outcome} | ({} if coarse else {"finding": j.check.key, "reason": j.reason})
            for j in self.judged
        ]
        head: dict[str, Any] = {"verdict": self.verdict, "released": self.released, "decided_by": self.decided_by}
        return head | {"checks": checks} if coarse else head | {"reasons": list(self.reasons), "settles": list(self.settles), "checks": checks}


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


def judge(findings: Sequence[Finding], rules: Sequence[Finding], policy: Policy) -> Verdict:
    """The verdict of a policy on an audit.

    ``findings``: of all copies; where several match a check the worst decides. ``rules``: of the synthetic
    cohort; any broken rule fails.
    """
    judged = tuple(_judge_one(check, findings, policy) for check in policy.checks)
    broken = [f for f in rules if f.measured and f.value > 0]
    outcomes = {j.outcome for j in judged}
    if "fail" in outcomes or broken:
        verdict: Ending = "fail"
    elif outcomes & {"inconclusive", "not measured"}:
        verdict = "inconclusive"
    else:
        verdict = "pass"
    released = verdict == "pass" or (verdict == "inconclusive" and policy.inconclusive == "release" and "not measured" not in outcomes)
    reasons = [j.reason for wanted in ("fail", "not measured", "inconclusive") for j in judged if j.outcome == wanted]
    reasons = list(dict.fromkeys(f"rule {f.where} is broken in the output" for f in broken)) + reasons
    if not reasons:
        reasons = [f"all {len(judged)} checks of the policy pass, and no rule is broken"]
    return Verdict(verdict, released, tuple(reasons), _settles(judged), judged)


def _judge_one(check: Check, findings: Sequence[Finding], policy: Policy) -> Judged:
    label = check.label or check.key
    named = [f for f in findings if f.name == check.finding and (not check.where or f.where == check.where)]
    measured = [f for f in named if f.measured]
    if not measured:
        why = named[0].missing if named else "the audit has no such finding"
        return Judged(check, "not measured" if check.rule == "must" else "pass", f"{label}: not measured, because {why}")
    sign = 1.0 if measured[0].better == "lower" else -1.0
    worst = max(measured, key=lambda f: sign * f.value)
    outcome, words = _compare(check, sign, worst, policy.power)
    figure = f"{_figure(worst.value)} ({_figure(worst.low)} to {_figure(worst.high)}), the policy allows {_figure(check.limit)}"
    return Judged(check, outcome, f"{label}: {words}, {figure}")


def _compare(check: Check, sign: float, worst: Finding, power: float) -> tuple[Outcome, str]:
    """How a measured check ends. ``sign`` turns every figure so that lower is better."""
    good, bad = sorted((sign * worst.low, sign * worst.high))
    limit = sign * check.limit
    if good > limit:
        return "fail", "shown"
    if check.rule == "veto":
        return "pass", "not shown"
    if (worst.high - worst.low) / 2 > power:
        return "not measured", "too few patients to tell"
    if sign * worst.value > limit:
        return "fail", "beyond the limit"
    return ("inconclusive", "cannot be ruled out") if bad > limit else ("pass", "within the policy")


def _settles(judged: Sequence[Judged]) -> tuple[str, ...]:
    out = []
    if any(j.outcome == "fail" and j.check.finding == "privacy.copies" for j in judged):
        out.append("a generator that does not replay patients: `trees` or `avatars` with their default settings")
    if any(j.outcome == "fail" and j.check.finding != "privacy.copies" for j in judged):
        out.append("a more cautious setting: for trees a larger gain test (`--set generator.gain=6`), for avatars more neighbours (`--set generator.k=100`)")
    if any(j.outcome in ("inconclusive", "not measured") for j in judged):
        out.append("more hold-out patients: the width of these intervals shrinks with the square root of their number")
    return tuple(out)


def _figure(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 0.1 else f"{value:.2f}"
