"""Published against reproduced: what records say of a score, the published numbers of the same, and verdicts."""
