"""The tables of privacy metrics and of attacks. One line each; the module is imported when the name is asked for.

Attacks are staged by ``arena``, which alone knows who was in.
"""

from twinset.core.registry import Registry

PRIVACY = Registry(
    "privacy-metric",
    {
        "copies": "twinset.audit.privacy.copies:Copies",
        "verbatim": "twinset.audit.privacy.verbatim:Verbatim",
        "tail": "twinset.audit.privacy.tail:Tail",
        "replay": "twinset.audit.privacy.replay:Replay",
        "nearer": "twinset.audit.privacy.nearer:Nearer",
        "hidden_rate": "twinset.audit.privacy.hidden_rate:HiddenRate",
    },
)

ATTACKS = Registry(
    "attack",
    {
        "distance": "twinset.audit.privacy.distance:Distance",
        "classifier": "twinset.audit.privacy.classifier:Classifier",
    },
)
