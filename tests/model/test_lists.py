@pytest.mark.parametrize(
    ("n_ratings", "least"),
    [
        ([500] * 11, 20),
        ([500] * 10 + [3, 2, 1], 3),
        ([19] * 30, 19),
        ([4, 2, 9], 2),
        ([4, 0], 0),
        ([7], 7),
    ],
)
def test_similar_asks_of_movies_what_the_table_has(n_ratings, least):
    assert usual_least_ratings(np.array(n_ratings)) == least
