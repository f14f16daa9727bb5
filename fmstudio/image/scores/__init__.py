"""Scores: how far samples are from data, and how near to single pictures."""
