"""See before you spend: what a private release would be worth, told without a look at the rows."""
