"""Figures: from saved numbers or images to a matplotlib figure, one file per figure.

A figure is a frozen dataclass whose fields are its options. It has

    consumes            what it is drawn from: "table" (a data frame), "oracle" (the data frame of `diffbench oracle`),
                        "images" (images and their classes, `Pictures`, by row label), "curves" (reverse time, rate
                        and distortion by model) or "progressive" (one model's reconstructions)
    __call__(data)      -> matplotlib.figure.Figure

To add one, write `diffbench/figures/<name>.py`. Colours, fonts and sizes are in `_style.py`, a legend outside of the
panels is in `_legend.py`, and points with their intervals are in `_points.py`.
"""
