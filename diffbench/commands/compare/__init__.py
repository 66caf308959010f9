"""`diffbench compare A B ...`: verdicts on two rows of tables."""
