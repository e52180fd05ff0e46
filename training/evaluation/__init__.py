"""Figures with intervals, calibration, plots, comparisons, the model card."""
