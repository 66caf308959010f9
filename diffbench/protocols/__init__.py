"""Protocols, one file each: what a score means, as data. Two scores compare only where their ids agree."""
