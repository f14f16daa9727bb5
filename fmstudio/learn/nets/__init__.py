"""Nets: what they compute, what they were trained on, and which of them answers."""
