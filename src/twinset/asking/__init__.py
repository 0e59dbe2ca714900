"""Answers without a table: counts, shares, means, quantiles and effects, with noise, intervals and a bill."""
