"""The Sample room: controls, figures, wiring."""
