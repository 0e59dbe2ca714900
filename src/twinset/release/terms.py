"""The section ``[privacy]``: what a private release may cost, for whom it is counted, and where it is written down."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from twinset.dp.ledger_file import Budget
from twinset.dp.whereabouts import chosen


class Privacy(BaseModel):
    """The terms of a private release. The unit has no default: whom the promise is made to must be said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epsilon: float = Field(gt=0, allow_inf_nan=False, description="what this run may spend")
    delta: float = Field(
        1e-9, gt=0, le=1e-5, description="the promise may fail with this probability; far below one over the number of patients, which is itself private"
    )
    unit: str = Field(description='whom the promise is made to: the column that names the patient, or "row"; must be data.unit')
    relation: Literal["add-remove", "replace"] = Field("add-remove", description='"replace" where the number of patients is public')
    budget: float | None = Field(None, gt=0, allow_inf_nan=False, description="the epsilon that all runs on this data set may ever spend; default: epsilon")
    about: int = Field(
        0,
        ge=0,
        description="about how many patients there are, a figure that all may know: what the run would be worth is foretold from it before anything is spent",
    )
    ledger: str | None = Field(None, description="the ledger file, relative to the study file; default: beside the data file")

    def terms(self) -> Budget:
        """What the ledger must agree with."""
        return Budget(self.unit, self.relation, self.budget, self.delta)

    def ledger_path(self, table: Path, folder: Path) -> Path:
        """Where the ledger is. Raises BadInput where the study names one and another lies beside the table."""
        return chosen(table, None if self.ledger is None else folder / self.ledger)
