"""What a visitor can do in each room. No gradio, no HTML: the page asks here, and draws what it is told.

- :mod:`fmstudio.studio.session`   a visitor: experiment, net, what rooms are set to, what the browser shows
- :mod:`fmstudio.studio.running`   the one kind of long action: its turn, reports, end, stop and error
- :mod:`fmstudio.studio.line`      who has to wait for whom
- :mod:`fmstudio.studio.paths`     original paths beside the flow, the probe
- :mod:`fmstudio.studio.train`     a training; which net is on screen
- :mod:`fmstudio.studio.sample`    samples, error against work, likelihood, the net's error
- :mod:`fmstudio.studio.quality`   how good samples are
- :mod:`fmstudio.studio.note`      the claims' results and the lineage
- :mod:`fmstudio.studio.exhibits`  what moves beside the claims
"""
