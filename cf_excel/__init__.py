"""Collaborative filtering that people can see in a spreadsheet and use at full size."""

__version__ = "0.1.0"
