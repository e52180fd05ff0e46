"""How names are spelled and where they stand in a text."""
