"""`diffbench compare A B ...`: verdicts between rows of tables."""
