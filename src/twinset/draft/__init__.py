"""Drafts of study files: what a custodian reads, corrects and then owns."""

from twinset.draft.write import draft

__all__ = ["draft"]
