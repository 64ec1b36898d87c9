"""Other people's request, answer and error shapes in front of the same use case: pure translators."""
