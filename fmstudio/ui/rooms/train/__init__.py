"""The Train room: controls, figures, wiring."""
