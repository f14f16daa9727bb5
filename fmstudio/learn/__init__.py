"""From an experiment to a net.

- :mod:`fmstudio.learn.fields`      every field: default, domain, part, what it is called
- :mod:`fmstudio.learn.catalogue`   what the names stand for: data, sources, paths, couplings, a record each
- :mod:`fmstudio.learn.experiment`  the record of every choice, its JSON and its link
- :mod:`fmstudio.learn.clouds`      points that people bring: tables, pictures, drawings
- :mod:`fmstudio.learn.training`    batches, steps, reports, checkpoints
- :mod:`fmstudio.learn.nets`        what a net computes, what it was trained on, which of several answers
- :mod:`fmstudio.learn.simulate`    particles of Q and of P, and what they are measured by
"""
