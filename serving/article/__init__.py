"""From a text to its statements: who takes which position toward what, and where it stands."""
