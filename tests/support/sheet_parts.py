"""A sheet's XML."""

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
