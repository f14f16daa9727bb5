"""Formulas that people type: read, checked, differentiated, and made a path of."""
