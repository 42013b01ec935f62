"""Pictures of a trained model and of the scoreboard."""

from cf_excel.plots.figures import (
    plot_biases,
    plot_map,
    plot_predictions,
    plot_scoreboard,
    principal_components,
    save_figure,
)

__all__ = [
    "plot_biases",
    "plot_map",
    "plot_predictions",
    "plot_scoreboard",
    "principal_components",
    "save_figure",
]
