"""Flow-matching text-to-image models of the Hugging Face Hub, run on this machine by plain diffusers.

Nothing here is loaded or downloaded before somebody asks, and nothing but safetensors and diffusers' own
classes is ever loaded: no pickles, no remote code.

Reading order: `cards` (the models on offer and what is known of each), `machine` (what this computer has),
`plan` (whether and how a model fits on it), `describe` (what a folder holds), `store` (what is already here),
`consent` (what the owner allows, and how to get past a gate), `download`, `loading`; then `schedule` (n steps
that are n steps), `recorder` (the one wrapper around `scheduler.step`), `latents` and `previews` (a look at
x_t and x̂₀), `adapter` (sampling, step by step), `instaflow` (a model with a loop of its own), `trajectory`
(norms and straightness), `memory` and `shelf` (one large model in memory at a time), and `jobs` (what a page
asks for).

The notation is that of `fmstudio.flow`: t = 0 is data, t = 1 is noise. diffusers calls the same t "sigma".
This module imports nothing.
"""
