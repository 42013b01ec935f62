"""The sheet that asks a trained model, through the functions."""
