"""Questions to an image model: comparisons, films, maps, inversion, bits, sweeps."""
