"""`diffbench oracle`: tests of samplers and bounds on data for which the exact results are known."""
