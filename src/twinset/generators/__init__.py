"""The table of generators. One line each; the module is imported when the name is asked for."""

from twinset.core.registry import Registry

GENERATORS = Registry(
    "generator",
    {
        "independent": "twinset.generators.independent:Independent",
        "copycat": "twinset.generators.copycat:Copycat",
        "trees": "twinset.generators.trees:Trees",
        "avatars": "twinset.generators.avatars:Avatars",
        "aim": "twinset.generators.marginals:AIM",
        "mst": "twinset.generators.marginals:MST",
        "bayesian_network": "twinset.generators.bayesian_network:BayesianNetwork",
    },
)
