"""What must hold in every believable row: the language, the check, the enforcement."""
