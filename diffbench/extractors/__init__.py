"""Extractors: uint8 images in, named features out. One file each.

To add one, put a file here with one public frozen dataclass. Its fields are its configuration, and it has

    features: ClassVar[tuple[str, ...]]   names of what it returns, e.g. ("pool", "logits")
    needs_weights: ClassVar[bool]         whether the job must give it a file of weights
    path                                  optional field: the user's file of weights, which the job also gives it
    resize: str                           how bytes become what the network sees; part of a protocol's id
    stored_statistics: bool               whether the means and covariances that ADM's reference batches store beside
                                          their images are of these features
    any_size: bool                        optional: whether it resizes each image separately; then it also takes a list
                                          of images of several sizes
    channels(weights) -> int              optional: how many channels it takes, if it does not take both grey and colour
    network(weights, device)              -> callable: uint8 images (n, height, width, channels) to a dictionary of
                                          float32 arrays (n, d) by name
    weights_sha256(weights)               -> a part of the protocol id: features compare only under equal weights

A network runs on micro-batches of one fixed size, and the last one is padded, so that an image's features do not
depend on the images around it.
"""
