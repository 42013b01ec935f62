"""The ratings: read from files of every usual form, checked, split, and laid out as a crosstab."""
