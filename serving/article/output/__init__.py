"""Labelled articles as rows, as a table on the terminal, as a page."""
