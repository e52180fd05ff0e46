"""Recipes and peers side by side on labelled sets: one cell per contender and seed, a table with intervals."""
