"""The note's figures, drawn as SVG."""
