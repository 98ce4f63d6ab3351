"""Scores of a model: each family in a file of its own; ``table`` holds their names, units and meanings."""
