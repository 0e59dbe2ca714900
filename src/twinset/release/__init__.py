"""Policy, gate, folder: what may leave, and why."""
