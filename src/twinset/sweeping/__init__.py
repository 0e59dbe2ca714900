"""The privacy-utility frontier of a study: points at several epsilons, resumable, and the smallest epsilon that costs nothing."""
