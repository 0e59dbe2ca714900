"""Twinset: a table of real patients becomes a synthetic cohort that may be shared, and the evidence that says why."""

__version__ = "0.1.0"
