"""The cost of a training step, in evaluations of the network."""

BOTH_WAYS = 3
"""Operations of a training step for an image, in evaluations: one forward, and twice as many operations back.

The gradient of a layer is two products of the size of the layer's own: one for its weights and one for its input."""
