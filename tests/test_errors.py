"""Messages stay one line that can be read, whatever was given."""

import pytest

from cf_excel.errors import CfExcelError, InputError
from cf_excel.model.predictor import Predictor


def test_a_message_of_megabytes_keeps_what_is_wrong_and_what_to_do():
    message = str(CfExcelError(f"ratings.csv: rating {'x' * 10**7!r} is no number: write 3.5"))
    assert len(message) <= 1001
    assert message.startswith("ratings.csv: rating 'xxx")
    assert message.endswith("xxx' is no number: write 3.5")


def test_a_message_of_usual_length_is_as_it_was():
    assert str(CfExcelError("x" * 1000)) == "x" * 1000
    assert str(CfExcelError("two\nlines")) == "two lines"


def test_an_argument_of_megabytes_is_cut(tiny_factors):
    predictor = Predictor(tiny_factors())
    for ask in (lambda: predictor.fold_in([1], ["x" * 10**6]), lambda: predictor.similar("x" * 10**6)):
        with pytest.raises(InputError) as error:
            ask()
        assert len(str(error.value)) <= 1001
