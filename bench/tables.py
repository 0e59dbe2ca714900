"""The development tables by name, as the benchmarks use them: ids dropped, target known, split by seed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# target, level that counts as positive, and columns that are neither data nor in the catalogue's id
TASKS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "actg175": ("cens", "1", ()),
    "adult": ("income", ">50K", ("split",)),
    "support2": ("hospdead", "1", ()),
    "diabetes130": ("readmitted", "<30", ("patient_nbr",)),
    "brfss2015": ("Diabetes_binary", "1", ()),
    "nhanes": ("Diabetes", "Yes", ()),
    "ist": ("ID14", "1", ()),
    "opt": ("Preg.ended...37.wk", "Yes", ()),
    "wbcd": ("Class", "4", ()),
    "pbc": ("status", "2", ()),
    "cervical": ("Biopsy", "1", ()),
    "hcc": ("1_survives_0_dies", "1", ()),
}
TUNED = ("actg175", "adult", "support2", "diabetes130")  # the recipe was chosen looking at these
FRESH = ("nhanes", "ist", "opt", "brfss2015")


@dataclass(frozen=True, repr=False)
class Table:
    """A development table: ``frame`` without identifiers, its target column and the positive level (as text)."""

    name: str
    frame: pl.DataFrame
    target: str
    positive: str

    def split(self, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Train and hold-out: ``default_rng(seed).permutation(n)``, the first ``int(0.7 n)`` rows are train."""
        rows = np.random.default_rng(seed).permutation(self.frame.height)
        n_train = int(0.7 * self.frame.height)
        return self.frame[rows[:n_train]], self.frame[rows[n_train:]]

    def grown(self, n: int, *, seed: int = 0) -> Table:
        """The same table with ``n`` rows: drawn without repeats where there are enough, else with repeats."""
        rng = np.random.default_rng(seed)
        rows = rng.choice(self.frame.height, n, replace=n > self.frame.height)
        return replace(self, frame=self.frame[rows])


def load(name: str) -> Table:
    """The table called ``name`` in the catalogue; FileNotFoundError where the development data are absent."""
    entry = {e["name"]: e for e in json.loads((DATA / "catalogue.json").read_text())}[name]
    path = DATA / entry["file"]
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None, null_values=["", "NA"])
    target, positive, extra = TASKS[name]
    gone = {c for c in str(entry["id"]).split(",") if c in frame.columns} | set(extra)
    return Table(name, frame.drop(gone), target, positive)


def cohort(frame: pl.DataFrame) -> Cohort:
    """A cohort with the schema that a first-time user would get, every column synthesised.

    A column that looks like an identifier or free text to ``infer_schema`` is treated as a category or number here:
    the benchmarks compare generators on the same columns as the peers.
    """
    from twinset.io.infer import infer_schema

    schema = infer_schema(frame)
    columns = []
    for c in schema.columns:
        kind = c.kind
        if kind == "text":
            kind = "category"
        role = "" if c.role == "identifier" else c.role
        columns.append(replace(c, kind=kind, role=role, identifier=""))
    return Cohort(frame, replace(schema, columns=tuple(columns)))
