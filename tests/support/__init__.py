"""What several tests share: workbooks, models, and the programs that open them."""
