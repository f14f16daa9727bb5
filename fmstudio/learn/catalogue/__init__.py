"""Families: what an experiment's names stand for. A member is one record in one file."""
