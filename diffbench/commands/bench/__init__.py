"""The command `bench`: how fast a benchmark's networks, extractors and metrics are on this machine."""
