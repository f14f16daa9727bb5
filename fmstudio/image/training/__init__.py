"""Training on images: data, objective, loop."""
