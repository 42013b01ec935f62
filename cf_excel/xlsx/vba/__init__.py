"""VBA projects, written from source text."""
