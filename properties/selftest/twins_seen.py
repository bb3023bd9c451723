"""Where else the examples of the ledger's entries show: an entry's id, and the twins on which it does."""

from __future__ import annotations

SHOWS: dict[str, tuple[str, ...]] = {
    "adaptive-avg-pool-gradient-in-storage": ("adaptive_max_pool2d",),
    "adaptive-avg-pool-gradient-overflows-in-float16": ("adaptive_max_pool3d",),
    "adaptive-avg-pool3d-without-channels-depends-on-batch": ("adaptive_max_pool3d",),
    "adaptive-max-pool-gradient-summed-in-storage": ("adaptive_avg_pool2d",),
    "avg-pool-gradient-summed-in-storage": ("max_pool1d",),
    "channels-last-weight-gradient-of-transposed-in-another-format": ("conv2d",),
    "circular-pad-gradient-summed-in-storage": ("replication_pad",),
    "conv-of-empty-axis-depends-on-batch": ("conv_transpose2d",),
    "conv-output-size-in-32-bits": ("conv_transpose1d",),
    "conv-window-overflows": ("conv_transpose1d",),
    "conv3d-rows-past-64-bits": ("conv_transpose3d",),
    "lp-pool-gradient-summed-in-storage": ("avg_pool1d",),
    "max-pool-gradient-overflows-in-float16": ("adaptive_avg_pool3d",),
    "max-pool-gradient-summed-in-storage": (
        "avg_pool1d",
        "lp_pool1d",
    ),
    "max-pool3d-unbatched-channels-last": ("lp_pool3d",),
    "meta-conv-bias": ("conv_transpose1d",),
    "meta-conv-dilation": ("conv_transpose1d",),
    "meta-conv-empty-kernel": ("conv_transpose1d",),
    "meta-conv-negative-padding": ("conv_transpose1d",),
    "meta-conv-negative-stride": ("conv_transpose1d",),
    "meta-conv-padding-values": ("conv_transpose1d",),
    "meta-conv-stride-values": ("conv_transpose1d",),
    "meta-transposed-bias": ("conv1d",),
    "meta-transposed-dilation": ("conv1d",),
    "meta-transposed-empty-kernel": ("conv1d",),
    "meta-transposed-negative-padding": ("conv1d",),
    "meta-transposed-padding-values": ("conv1d",),
    "meta-transposed-stride-values": ("conv1d",),
    "reflection-pad-gradient-summed-in-storage": (
        "replication_pad",
        "circular_pad",
    ),
    "replication-pad-gradient-summed-in-storage": ("circular_pad",),
    "transposed-size-past-64-bits-in-float32": ("float64",),
    "unfold-gradient-summed-in-storage": ("fold",),
}
