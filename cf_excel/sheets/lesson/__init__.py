"""The lesson's workbook: ratings, embeddings and predictions by formulas."""
