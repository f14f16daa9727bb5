"""Arrays in; figures and player scenes out. One palette, in which a colour means the same everywhere.

- :mod:`fmstudio.plots.palette`  the colours and what they mean
- :mod:`fmstudio.plots.figures`  Plotly figures of the rooms
- :mod:`fmstudio.plots.scene`    what the player shows, and its file
- :mod:`fmstudio.plots.svg`      the note's panels
"""
