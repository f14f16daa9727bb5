"""Sampling images: fields with guidance, steps, and steps captured on a GPU."""
