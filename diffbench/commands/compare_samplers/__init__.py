"""`diffbench compare-samplers`: a candidate sampler and its baselines on one model, image by image."""
