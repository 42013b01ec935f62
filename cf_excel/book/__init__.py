"""The only room that knows cells: where they are, what they say, and the files that hold them."""
