"""Scenes: what the player shows, and the file in which it reaches the browser."""
