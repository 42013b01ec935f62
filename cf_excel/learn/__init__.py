"""The room where models are trained: the only one with torch."""
