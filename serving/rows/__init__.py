"""Rows in: what a file holds, which columns and cells count, and the statement that a row makes."""
