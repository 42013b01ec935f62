"""What stands on the sheets: where everything is and what the formulas say. Nothing here knows a host."""
