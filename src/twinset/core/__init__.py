"""Nouns and contracts; imports nothing of ours but the errors."""
