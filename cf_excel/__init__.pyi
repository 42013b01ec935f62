from cf_excel.errors import CfExcelError
from cf_excel.learn.train import train
from cf_excel.model.factors import Factors
from cf_excel.model.file import load_factors, save_factors
from cf_excel.model.predictor import Predictor, load_predictor
from cf_excel.notebook_model import FittedModel
from cf_excel.notebook_model import fit_model as fit
from cf_excel.notebook_model import load_model as load
from cf_excel.ratings.download import download
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.table import Ratings
from cf_excel.sheets.gradient.gradient_books import build_gradient
from cf_excel.sheets.lesson.collab import build_collab as build
from cf_excel.sheets.recommender.recommender_book import build_recommender as export
from cf_excel.udf.fill_workbook import fill, solve, write

__version__: str
__all__ = [
    "CfExcelError",
    "Factors",
    "FittedModel",
    "Predictor",
    "Ratings",
    "build",
    "build_gradient",
    "download",
    "export",
    "fill",
    "fit",
    "load",
    "load_factors",
    "load_predictor",
    "load_ratings",
    "save_factors",
    "solve",
    "train",
    "write",
]
