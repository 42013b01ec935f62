"""Score with a trained model of any kind, from Python: the public way to cf_excel.model.predictor."""

from cf_excel.model.predictor import Predictor, ScoredMovie, load_predictor

__all__ = ["Predictor", "ScoredMovie", "load_predictor"]
