from benchmarks.figures import Series


def test_percentiles_are_those_of_the_series() -> None:
    """The series is 1 to 100 ms: half of it is below the median, and 95 values are below the other."""
    series = Series(name="x", seconds=tuple(ms / 1000 for ms in range(1, 101)))
    assert round(series.p50, 4) == 0.0505
    assert round(series.p95, 4) == 0.0951


def test_a_single_measurement_is_its_own_percentile() -> None:
    """Some series have a single measurement."""
    assert Series(name="x", seconds=(2.5,)).p95 == 2.5
