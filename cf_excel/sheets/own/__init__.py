"""The sheets that are written into somebody's own workbook of ratings."""
