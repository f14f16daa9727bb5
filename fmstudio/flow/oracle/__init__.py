"""The oracle: exact answers for mixtures and for clouds, and how they are computed."""
