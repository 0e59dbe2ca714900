"""The sections ``[[rules]]`` and ``[[endpoints]]`` of a draft."""

from __future__ import annotations

from twinset.core.cohort import Cohort
from twinset.draft import texts
from twinset.draft.data import pair
from twinset.draft.unit import Rows
from twinset.io.roles import reference
from twinset.io.survival import Pair, event_level
from twinset.io.toml import comment


def rules(made: Rows, *, private: bool) -> str:
    """The rules that hold in every row. For a private run they are comments: it refuses rules that were read from the rows."""
    from twinset.rules.mine import propose

    cohort = Cohort(made.frame if made.kept is None else made.kept, made.schema).synthesised
    proposals = propose(cohort) if len(cohort.schema) else ()
    if not proposals:
        return texts.NO_RULES
    lines = [texts.PRIVATE_RULES if private else texts.RULES]
    for i, proposal in enumerate(proposals, start=1):
        body = ["[[rules]]", pair("name", f"R{i}"), pair("rule", proposal.text)]
        if proposal.state == "nearly":
            lines += [comment(proposal.why), comment(f"    {proposal.text}"), ""]
        else:
            lines += [comment(proposal.why), *(body if proposal.state == "live" and not private else map(comment, body)), ""]
    return "\n".join(lines)


def endpoints(made: Rows) -> str:
    """The analyses that the roles suggest: each time to an event; commented out where a row is no patient. A yes/no or measured outcome by arm is named in a comment."""
    schema = made.schema
    lines = [texts.ENDPOINTS if made.pairs else texts.NO_ENDPOINTS.rstrip()]
    if made.pairs and not made.of_patients:
        lines[0] += " These need one row a patient; the table has several, so they are off."
    for survival, arm in made.pairs:
        body = _survival(made, survival, arm)
        lines += [*(body if made.of_patients else map(comment, body)), ""]
    arms = [c.name for c in schema.with_role("arm")]
    for outcome in schema.with_role("outcome"):
        kind = "a yes/no outcome" if len(outcome.levels) == 2 else "an outcome of several levels" if outcome.levels else "a measured outcome"
        by = f" by `{arms[0]}`" if arms else ""
        lines.append(comment(f"`{outcome.name}`{by}: an analysis of {kind}{' by arm' if arms else ''} is not built yet; the prediction scores look at it."))
    return "\n".join(lines).rstrip() + "\n"


def _survival(made: Rows, survival: Pair, arm: str) -> list[str]:
    rows = made.frame if made.kept is None else made.kept
    event = made.schema[survival.event]
    level = event_level(event, rows[event.name], rows[survival.time])
    said = "CHECK: the level that means the event was seen, not censored"
    said += "; the other levels count as censored" if len(event.levels) > 2 else ""
    lines = ["[[endpoints]]", pair("kind", "survival"), pair("name", f"time to {survival.event}"), pair("time", survival.time), pair("event", survival.event)]
    lines.append(pair("event_value", level) + f"   # {said}")
    if arm:
        lines += [pair("arm", arm), pair("reference", reference(made.schema[arm])) + "   # CHECK: the arm the others are compared with"]
    return lines
