"""The rows of an experiment: read, checked, kept apart, joined into parts."""
