"""Collaborative filtering that people can see in a spreadsheet and use at full size.

    import cf_excel

    ratings = cf_excel.Ratings.from_frame(df)  # or load_ratings("ratings.csv"), without a path the lesson's
    model = cf_excel.fit(ratings)  # or fit(df)
    model.recommend([15, 42], n=10)  # DataFrames, as similar, fold_in, predict and to_frame give them
    model.evaluate(held_back)
    model.save("model.safetensors")  # cf_excel.load reads it
    cf_excel.export(model.factors, "recommender.xlsx")
    cf_excel.solve("collab_filter.xlsx", backup=True)
    cf_excel.fill("my_ratings.xlsx", backup=True)

Each name is loaded when it is first used, with what it needs: the package by itself loads nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

_PLACES = {
    "CfExcelError": "errors",
    "Factors": "model.factors",
    "FittedModel": "notebook_model",
    "Predictor": "model.predictor",
    "Ratings": "ratings.table",
    "build": "sheets.lesson.collab:build_collab",
    "build_gradient": "sheets.gradient.gradient_books",
    "download": "ratings.download",
    "export": "sheets.recommender.recommender_book:build_recommender",
    "fill": "udf.fill_workbook",
    "fit": "notebook_model:fit_model",
    "load": "notebook_model:load_model",
    "load_factors": "model.file",
    "load_predictor": "model.predictor",
    "load_ratings": "ratings.readers",
    "save_factors": "model.file",
    "solve": "udf.fill_workbook",
    "train": "learn.train",
    "write": "udf.fill_workbook",
}
__all__ = [*_PLACES]  # type checkers read them in __init__.pyi


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, name_there = _PLACES[name].partition(":")
    value = getattr(import_module(f"{__name__}.{module}"), name_there or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
