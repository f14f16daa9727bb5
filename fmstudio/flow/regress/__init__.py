"""Learning a field by regression: targets, losses, time laws, and what no net can go below."""
