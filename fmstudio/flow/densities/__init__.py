"""Densities: mixtures that know theirs, and clouds of points."""
