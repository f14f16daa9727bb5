"""Flow Matching Studio: see, train, check and sample flow matching.

One notation holds in every module (Wu & Lizarraga, *About Flow Matching*, 2024). Time t = 0 is data,
t = 1 is noise; generation runs from 1 down to 0.

=====================  ==========  ===================================================================
symbol                 in code     meaning
=====================  ==========  ===================================================================
x₀ ~ q(x₀)             ``x0``      a data point, shape (n, d)
x₁ ~ N(0, I)           ``x1``      a noise (source) point, same shape
z ~ N(0, I)            ``z``       the latent of a stochastic interpolant
x_t                    ``xt``      the particle at time t: a x₀ + b x₁ + γ z
a_t, b_t, γ_t          ``a, b``    the path's coefficients; ``da, db`` their time derivatives
v = dx_t/dt            ``v``       the velocity of one original path (points from data to noise)
u(x, t)                ``u``       the marginal velocity E[v | x_t = x]
var_t(x)               ``var``     tr Var[v | x_t = x]: how much the paths through x disagree
s(x, t)                ``score``   ∇ log q_t(x)
x̂₀, ε̂                  ``x0_hat``  E[x₀ | x_t], E[x₁ | x_t] (``eps_hat``)
=====================  ==========  ===================================================================

A generation step is x_{t−dt} = x_t − u(x_t, t) dt.

The package reads like a book; each chapter imports only those above it:

- :mod:`fmstudio.flow`   the mathematics: paths, oracle, solvers, couplings, likelihood (torch only)
- :mod:`fmstudio.image`  rectified flow on images (diffusers)
- :mod:`fmstudio.learn`  experiments, networks, training, checkpoints
- :mod:`fmstudio.note`   the note's claims, predicted and measured
- :mod:`fmstudio.plots`  arrays in, figures and player scenes out
- :mod:`fmstudio.studio` what a visitor can do, room by room, and the long actions
- :mod:`fmstudio.ui`     the page (gradio)
"""

__version__ = "0.2.0"
