"""Following a field: solvers, stochastic samplers, the note's transitions, likelihood."""
