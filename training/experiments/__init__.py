"""Runs from end to end: one, several seeds, folds, sweeps, an audit of labels, promotion; all tracked."""
