"""Clouds of points that a person brings: drawn, typed, or uploaded as a picture, a table or an array.

A file is read to a :class:`Table` or a :class:`Picture` (:func:`read`); what of it becomes points is a
:class:`Choice` or a :class:`Look`; :func:`made` gives the :class:`Cloud`, with one sentence on what was done;
:func:`packed` makes it a text that a link can carry.
"""

from __future__ import annotations

from fmstudio.learn.clouds.arrays import table_of_array
from fmstudio.learn.clouds.choice import COMPONENTS, Choice, cloud_of, suggested
from fmstudio.learn.clouds.cloud import Cloud, Transform, from_points, standardised, thinned
from fmstudio.learn.clouds.drawing import example_drawing, from_strokes, from_word
from fmstudio.learn.clouds.files import Brought, Made, made, read, read_file
from fmstudio.learn.clouds.packing import PACKED, pack, packed, unpack
from fmstudio.learn.clouds.pictures import Look, Picture, cloud_of_picture, picture_of
from fmstudio.learn.clouds.table import Column, Table, table_of_text

__all__ = [
    "COMPONENTS",
    "PACKED",
    "Brought",
    "Choice",
    "Cloud",
    "Column",
    "Look",
    "Made",
    "Picture",
    "Table",
    "Transform",
    "cloud_of",
    "cloud_of_picture",
    "example_drawing",
    "from_points",
    "from_strokes",
    "from_word",
    "made",
    "pack",
    "packed",
    "picture_of",
    "read",
    "read_file",
    "standardised",
    "suggested",
    "table_of_array",
    "table_of_text",
    "thinned",
    "unpack",
]
