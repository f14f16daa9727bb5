"""Exported code: an experiment as one plain PyTorch script, taken from the studio's own sources."""
