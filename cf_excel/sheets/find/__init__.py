"""Find the lesson's sheets in a workbook that somebody has worked in."""
