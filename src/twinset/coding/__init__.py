"""Columns to model space and back."""
