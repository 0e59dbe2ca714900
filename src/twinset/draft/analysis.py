"""The sections ``[[rules]]`` and ``[[endpoints]]`` of a draft."""

from __future__ import annotations

import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.schema import Schema
from twinset.draft import texts
from twinset.draft.data import pair
from twinset.io.roles import reference
from twinset.io.survival import event_level
from twinset.io.toml import comment


def rules(frame: pl.DataFrame, schema: Schema, *, private: bool) -> str:
    """The rules that hold in every row. For a private run they are comments: it refuses rules that were read from the rows."""
    from twinset.rules.mine import propose

    cohort = Cohort(frame, schema).synthesised
    proposals = propose(cohort) if len(cohort.schema) else ()
    if not proposals:
        return texts.NO_RULES
    lines = [texts.PRIVATE_RULES if private else texts.RULES]
    for i, proposal in enumerate(proposals, start=1):
        body = ["[[rules]]", pair("name", f"R{i}"), pair("rule", proposal.text)]
        lines += [comment(proposal.why), *(map(comment, body) if private else body), ""]
    return "\n".join(lines)


def endpoints(schema: Schema) -> str:
    """The time-to-event analysis that the roles suggest; commented out where rows repeat, since then a row is no patient."""
    time, event, arms = schema.with_role("time"), schema.with_role("event"), schema.with_role("arm")
    if not time or not event:
        return texts.NO_ENDPOINTS
    lines = ["[[endpoints]]", pair("kind", "survival"), pair("name", f"time to {event[0].name}"), pair("time", time[0].name), pair("event", event[0].name)]
    lines.append(pair("event_value", event_level(event[0], pl.Series([]))) + "   # check: the level that means the event was seen, not censored")
    if arms:
        lines += [pair("arm", arms[0].name), pair("reference", reference(arms[0])) + "   # check: the arm the others are compared with"]
    said = texts.ENDPOINTS
    if schema.unit:
        said += " This one needs one row a patient; the table has several, so it is off."
        lines = [comment(line) for line in lines]
    return "\n".join([said, *lines]) + "\n"
