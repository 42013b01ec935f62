"""Measurements, each a command of its own: python -m benchmarks.build and so on. No test asserts a time."""
