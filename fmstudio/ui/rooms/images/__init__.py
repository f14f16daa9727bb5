"""The images' room: a part for each question."""
