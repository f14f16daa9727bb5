"""The note's room: claims, lineage, exhibits."""
