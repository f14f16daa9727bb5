"""A training: its batches, steps, measurements and checkpoints."""
