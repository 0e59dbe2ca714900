"""The door: files and frames in, files and frames out; the traps of real files live here."""
