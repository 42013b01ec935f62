"""Write new workbooks: streamed cells with their results, styles, charts and buttons."""
