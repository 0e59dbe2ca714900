"""The table of fidelity metrics. One line each; the module is imported when the name is asked for."""

from twinset.core.registry import Registry

FIDELITY = Registry(
    "metric",
    {
        "emptied": "twinset.audit.fidelity.emptied:Emptied",
        "columns": "twinset.audit.fidelity.columns:Columns",
        "pairs": "twinset.audit.fidelity.pairs:Pairs",
        "hellinger": "twinset.audit.fidelity.hellinger:Hellinger",
        "predict": "twinset.audit.fidelity.predict:Predict",
        "propensity": "twinset.audit.fidelity.propensity:Propensity",
    },
)
