"""`diffbench oracle`: samplers and bounds on data whose answers are closed forms."""
