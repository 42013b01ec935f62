"""Change workbooks that somebody owns: only the cells that must, every other part byte for byte."""
