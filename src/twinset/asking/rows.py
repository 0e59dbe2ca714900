"""The rows that questions are about: a few columns of all patients, read as declared."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from twinset.coding.history import bound_locally
from twinset.core.cohort import Cohort
from twinset.door import declared_reading
from twinset.io.declared import empty, read_declared
from twinset.study import Study


def rows(study: Study, columns: Collection[str]) -> Cohort:
    """These columns of every patient of a private study's table, and the patients' own; at most ``per_patient`` rows of each, those that a release keeps.

    A block of the file at a time, so that a file larger than memory can be asked about. Raises as :func:`twinset.door.read`: never for what a row holds.
    """
    schema, how = study.schema_of_columns(), declared_reading(study)
    kept = [n for n in schema.names if n in columns or n == schema.unit] or list(schema.names[:1])
    frames = [b.frame.select(kept) for b in read_declared(study.table, schema, how)]
    whole = Cohort(pl.concat(frames) if frames else empty(schema).select(kept), schema.select(kept))
    return bound_locally(whole, study.data.per_patient, seed=study.holdout.seed)
