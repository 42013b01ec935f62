from cf_excel.udf.descriptions import help_of, signatures


def test_help_fits_the_function_wizard():
    assert list(signatures()) == [
        *(
            "CF_PREDICT",
            "CF_UNCERTAINTY",
            "CF_USER_FACTORS",
            "CF_MOVIE_FACTORS",
            "CF_USER_BIAS",
            "CF_MOVIE_BIAS",
            "CF_TITLE",
        ),
        *("CF_RECOMMEND", "CF_SIMILAR", "CF_RATE", "CF_FIND", "CF_RMSE", "CF_MODEL", "CF_FILL", "CF_TOP", "CF_FIT"),
    ]
    for name in signatures():
        assert 20 < len(help_of(name)) <= 255
        assert '"' not in help_of(name)
