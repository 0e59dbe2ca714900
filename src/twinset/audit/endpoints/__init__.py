"""The table of endpoints. One line each; the module is imported when the name is asked for."""

from twinset.core.registry import Registry

ENDPOINTS = Registry("endpoint", {"survival": "twinset.audit.endpoints.survival:Survival"})
