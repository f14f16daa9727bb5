"""Rectified flow on images: data, networks, training, sampling, figures.

The notation is that of `fmstudio.flow`: t = 0 is data, t = 1 is noise, x_t = (1 − t) x0 + t x1, and the
network answers the mean of the velocities v = x1 − x0 at x_t. diffusers calls the same t "sigma" and hands a
network 1000 t as the timestep.

Reading order: `data` (images as tensors in [−1, 1]), `networks` (the velocity U-Net), `objective` (what is
regressed on what), `train` (the run), `sampling` (the ODE, step by step), `pipeline` (the same as a diffusers
pipeline), `folder` (a model as a diffusers folder), `models` (the models of this repository), `settings`
(what is sampled, from JSON), `classifier` and `metrics` (figures), `reflow` (pairs for a second
rectification), `evaluate` (the table of a model card).

What the Images room asks: `compare` (step counts and models side by side, with `reference` for real images
and `progress` for what is left), `film` (one image step by step), `projection` (many in a plane), `inversion`
(to noise and back), `bits` (likelihood), `xy` (two settings against each other), `gallery` (files).

This module imports nothing, so `import fmstudio.image` is free; diffusers is imported where a network is
made.
"""
