"""The scoreboard: every model and library on the same held-out ratings."""
