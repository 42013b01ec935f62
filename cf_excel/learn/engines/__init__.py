"""The loops that run a fit of the lesson's models: torch's own, and those that do the same many times faster."""
