"""Experiments and how a network learns them: settings, networks, training, checkpoints."""
