"""Comparisons: verdicts and paired differences, made from records of scores and saved features alone."""
