"""The private side: events, ledger, vault; the only place where noise is drawn."""
