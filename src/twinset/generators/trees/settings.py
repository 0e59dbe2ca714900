"""Checks of the settings against the table's columns: all problems at once, names only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twinset.core.schema import Schema
from twinset.errors import BadInput, collect

ORDERS = ("auto", "levels", "given")
METHODS = ("tree", "independent")
CHOICES = {"smooth": ("window", "none"), "dealing": ("score", "random")}


def check_columns(schema: Schema, named: Mapping[str, Sequence[str]]) -> None:
    """Every column named in a setting is a column that is synthesised. Raises BadInput with all that are not."""
    problems = []
    for setting, columns in named.items():
        unknown = sorted({c for c in columns if c not in schema})
        problems += [f"`{setting}` names `{c}`, which is not a column to synthesise" for c in unknown]
        if len(set(columns)) != len(columns):
            problems.append(f"`{setting}` names a column twice")
    if problems:
        raise BadInput(collect(problems), where="generator", hint="identifiers, free text and the patient column are not modelled; check the spelling")


def check_values(order: str | Sequence[str], methods: Mapping[str, str], choices: Mapping[str, str], leaf: int, numbers: Mapping[str, float | None]) -> None:
    """Settings that do not depend on the table. Raises BadInput with all problems."""
    problems = []
    if isinstance(order, str) and order not in ORDERS:
        problems.append(f"`order` is none of {', '.join(ORDERS)} and no list of columns")
    problems += [f"the method of `{c}` is none of {', '.join(METHODS)}" for c, m in methods.items() if m not in METHODS]
    problems += [f"`{name}` is none of {', '.join(CHOICES[name])}" for name, choice in choices.items() if choice not in CHOICES[name]]
    if leaf < 1:
        problems.append("`leaf` must be at least 1")
    problems += [f"`{name}` must not be negative" for name, value in numbers.items() if value is not None and not value >= 0]
    if problems:
        raise BadInput(collect(problems), where="generator", hint="leave a setting out to get its default")


def check_order(predictors: Mapping[str, Sequence[str]], visited: Sequence[str]) -> None:
    """A predictor must be drawn before the column it predicts."""
    place = {c: k for k, c in enumerate(visited)}
    problems = [
        f"`predictors` of `{c}` name `{p}`, which is drawn later or is the column itself" for c, ps in predictors.items() for p in ps if place[p] >= place[c]
    ]
    if problems:
        raise BadInput(collect(problems), where="generator", hint="give `order` as a list of columns, predictors first")
