"""The rooms: one file each, controls first, then wiring."""
