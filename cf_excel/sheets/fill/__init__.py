"""Fill sheets that were found: fit their numbers to their ratings, or put a trained model into them."""
