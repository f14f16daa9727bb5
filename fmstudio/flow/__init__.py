"""The mathematics: tensors in, tensors out; no files, no printing, no drawing.

In the order of reading:

- :mod:`fmstudio.flow.paths`      how a particle goes from data to noise: a, b, γ and their derivatives
- :mod:`fmstudio.flow.formulas`   a path from two formulas that somebody types
- :mod:`fmstudio.flow.densities`  what data and noise are drawn from
- :mod:`fmstudio.flow.couplings`  who is paired with whom
- :mod:`fmstudio.flow.oracle`     the exact answers: u, x̂₀, score, log q_t, how much paths disagree
- :mod:`fmstudio.flow.solve`      following a field: solvers, stochastic samplers, likelihood, the note's P
- :mod:`fmstudio.flow.regress`    learning a field: targets, losses, time laws, the floor, reflow
- :mod:`fmstudio.flow.metrics`    how far two clouds are apart, how straight a flow is

Here for programs, not for the page: ``metrics.w2``, ``diffusion.langevin`` and the noise level
``diffusion.Constant``.
"""
