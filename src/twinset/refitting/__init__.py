"""The custodian's bootstrap: the generator fitted again on resampled patients, so that a declared analysis gets an interval that knows what the generator does.

Rooms, in the order of the steps: ``job`` (one refit: patients drawn, fitted, drawn from, analysed), ``kept`` (what is finished, in a file beside the table),
``run`` (all of them, here or over processes, and their figures).
"""
