"""The lesson's second spreadsheet: gradient descent, row by row."""
