"""A trained model: its numbers, its file, and every question that it answers. numpy is all that this room needs."""
