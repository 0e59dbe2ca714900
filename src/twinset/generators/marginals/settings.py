"""What the settings of a private generator may be: bounds in their types, held by a study file and by Python alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Annotated, Any, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from twinset.errors import StudyInvalid, collect

Share = Annotated[float, Field(gt=0, lt=1)]  # of a budget
ShareOrNone = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(gt=0, le=1000)]  # of a column: never negative, or a choice would cost more than its bill
Cells = Annotated[int, Field(ge=1, le=2**31)]
Count = Annotated[int, Field(ge=0, le=100_000)]
Sweeps = Annotated[int, Field(ge=1, le=100_000)]
Strength = Annotated[float, Field(ge=0, le=1e6)]
Columns = tuple[str, ...]
Table = Annotated[tuple[str, ...], Field(min_length=1)]


def check(settings: object, *, shares: tuple[str, ...]) -> None:
    """Raise StudyInvalid with every setting out of its bounds (a dataclass whose types carry them), or where ``shares`` of one budget leave nothing of it."""
    problems = []
    kind: type = type(settings)
    for name, adapter in _adapters(kind).items():
        try:
            adapter.validate_python(getattr(settings, name))
        except ValidationError as e:
            problems.append(f"`{name}`: {e.errors(include_input=False, include_url=False)[0]['msg'].lower()}")
    if not problems and not sum(getattr(settings, s) for s in shares) < 1:
        problems.append(f"{', '.join(f'`{s}`' for s in shares)}: together they must be less than 1")
    if problems:
        raise StudyInvalid(collect(problems), where="generator", hint="leave these settings out: the defaults are good")


@cache
def _adapters(kind: type) -> Mapping[str, TypeAdapter[Any]]:
    hints = get_type_hints(kind, include_extras=True)
    return {f.name: TypeAdapter(hints[f.name]) for f in fields(kind)}
