"""Metrics and attacks on a trial: train, hold-out, synthetic."""
