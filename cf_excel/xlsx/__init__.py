"""What an Excel file is: cells, formulas, parts of a package. Nothing here knows the lesson."""
