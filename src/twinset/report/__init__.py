"""One self-contained page from findings."""
