"""Comparisons: verdicts and paired differences, from records of scores alone."""
