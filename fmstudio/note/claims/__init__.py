"""The claims, one a file: prediction, measurement, verdict."""
