"""Pictures of a trained model and of the scoreboard."""
