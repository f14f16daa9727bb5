"""Couplings: who is paired with whom."""
