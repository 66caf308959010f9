"""Extractors: uint8 images in, named features out. One file each.

To add one, put a file here with one public frozen dataclass, whose fields are its configuration, and that has

    features: ClassVar[tuple[str, ...]]   names of what it returns, e.g. ("pool", "logits")
    needs_weights: ClassVar[bool]         whether the job must hand it a file of weights
    path                                  optional field: the user's file of weights, which the job is handed as well
    resize: str                           how bytes become what the network sees; part of a protocol's id
    stored_statistics: bool               whether the means and covariances that ADM's reference batches store beside
                                          their images are of these features
    any_size: bool                        optional: whether it resizes each image by itself; then it also takes a list
                                          of images of several sizes
    channels(weights) -> int              optional: how many channels it takes, where it does not take grey and colour
    network(weights, device)              -> callable: uint8 images (n, height, width, channels) to a dictionary of
                                          float32 arrays (n, d) by name
    weights_sha256(weights)               -> what joins the protocol id: features compare under equal weights alone

A network runs on micro-batches of one fixed size, the last one padded, so that an image's features do not
depend on the images around it.
"""
