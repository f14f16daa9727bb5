"""The claims of Wu & Lizarraga, *About Flow Matching*, 2024: predicted, measured, judged."""
