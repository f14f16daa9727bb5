"""The mathematics of flow matching: torch only; no files, no printing, no plotting."""
