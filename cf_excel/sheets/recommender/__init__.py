"""A trained model as a workbook that needs no macros and no Python."""
