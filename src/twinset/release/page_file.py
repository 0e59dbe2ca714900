"""A page as JSON, and back: what ``twinset report`` draws again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twinset.core.contracts import AuditResult, Comparison, Curve, Effect
from twinset.core.finding import Finding
from twinset.core.refits import Refits
from twinset.errors import BadInput
from twinset.report.cards import cards
from twinset.report.decision import headline
from twinset.report.material import Attempts, Page, Tested


def read_page(path: Path) -> Page:
    """The page a run saved. Raises BadInput where there is none."""
    try:
        return page_from(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput("no report can be made from here", where=str(path), hint="give a folder that `twinset release` or `twinset audit` wrote") from None


def page_dict(page: Page) -> dict[str, Any]:
    """The page as JSON-ready data, with its headline, its cards and the outcome of each finding; :func:`page_from` reads it back."""
    data = asdict(page)
    data["headline"] = headline(page)[0]
    data["cards"] = [{"question": c.question, "outcome": c.outcome, "answer": c.answer, "note": c.note} for c in cards(page)]
    data["result"] = {
        "findings": [f.to_dict() | {"outcome": page.standing(f)} for f in page.result.findings],
        "comparisons": [_finite(asdict(c)) for c in page.result.comparisons],
        "curves": [_finite(asdict(c)) for c in page.result.curves],
        **({"audited": page.result.audited} if page.result.audited else {}),
    }
    data["rules"] = [f.to_dict() for f in page.rules]
    data["source_rules"] = [f.to_dict() for f in page.source_rules]
    return data


def page_from(data: Mapping[str, Any]) -> Page:
    """The page that :func:`page_dict` wrote."""
    result = data["result"]
    fields = {k: v for k, v in data.items() if k not in ("headline", "cards")}
    fields["result"] = AuditResult(
        tuple(Finding.from_dict({k: v for k, v in f.items() if k != "outcome"}) for f in result["findings"]),
        tuple(_comparison(c) for c in result["comparisons"]),
        tuple(_curve(c) for c in result["curves"]),
        result.get("audited", ""),
    )
    for key in ("rules", "source_rules"):
        fields[key] = tuple(Finding.from_dict(f) for f in data[key])
    for key in ("reasons", "settles"):
        fields[key] = tuple(data[key])
    fields["decided_from"] = tuple((c[0], c[1]) for c in data.get("decided_from", ()))
    if (refused := data.get("refused")) is not None:
        fields["refused"] = tuple(refused)
    if (tested := data.get("tested")) is not None:
        fields["tested"] = Tested(tested["verdict"], tested["released"], tuple(tested["reasons"]), tuple(tested["settles"]))
    if (attempts := data.get("attempts")) is not None:
        fields["attempts"] = Attempts(**{**attempts, "seeds": tuple(attempts["seeds"])})
    fields["columns"] = tuple((c[0], c[1], c[2]) for c in data["columns"])
    return Page(**fields)


def _comparison(data: Mapping[str, Any]) -> Comparison:
    effects = {k: Effect(**_numbers(data[k])) if data[k] else None for k in ("train", "synthetic", "holdout")}
    refits = Refits(**data["refits"]) if data.get("refits") else None
    return Comparison(**{**_numbers(data, keep=("holdout",)), **effects, "refits": refits})


def _curve(data: Mapping[str, Any]) -> Curve:
    fields: dict[str, Any] = {k: tuple(math.nan if x is None else x for x in v) if isinstance(v, list) else v for k, v in data.items()}
    return Curve(**fields)


def _finite(value: Any) -> Any:
    """The same data with NaN and infinities as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list | tuple) else value


def _numbers(data: Mapping[str, Any], *, keep: Sequence[str] = ()) -> dict[str, Any]:
    return {k: math.nan if v is None and k not in keep else v for k, v in data.items()}
