"""Drafts of study files: what a custodian reads, corrects and then owns."""

from twinset.draft.write import Drafted, draft, drafted

__all__ = ["Drafted", "draft", "drafted"]
