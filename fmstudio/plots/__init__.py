"""Pictures: arrays in, figures and player scenes out; one palette."""
