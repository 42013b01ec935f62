"""Answers of a model for everybody at once, as a file: a workbook, CSV, JSON or Parquet."""
