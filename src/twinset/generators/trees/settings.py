"""Checks of the settings against the table's columns."""
def check(settings, schema):  # type: ignore
    pass
