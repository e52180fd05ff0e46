"""Which language a text is in, and whether a model reads it."""
