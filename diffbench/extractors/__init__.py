"""Extractors: uint8 images in, named features out. One file each.

To add one, put a file here with one public frozen dataclass, whose fields are its configuration, and that has

    features: ClassVar[tuple[str, ...]]   names of what it returns, e.g. ("pool", "logits")
    needs_weights: ClassVar[bool]         whether the job must hand it a file of weights
    network(weights, device)              -> callable: uint8 images (n, height, width, channels) -> {name:
    float32 (n, d)} weights_sha256(weights)               -> what joins the protocol id: a feature is
    comparable under equal weights alone

A network runs on micro-batches of one fixed size, the last one padded, so that an image's features do not
depend on the images around it.
"""
