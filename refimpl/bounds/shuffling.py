"""Shuffles with their errors: elements are moved, and nothing is computed."""

from __future__ import annotations

from refimpl import shuffling
from refimpl.rounding import Computed


def pixel_shuffle(x: Computed, upscale_factor: int) -> Computed:
    """:func:`refimpl.shuffling.pixel_shuffle`."""
    return x.map(lambda a: shuffling.pixel_shuffle(a, upscale_factor))


def pixel_shuffle_gradients(cotangent: Computed, x: Computed, upscale_factor: int) -> tuple[Computed, ...]:
    """The inverse of the cotangent."""
    return (pixel_unshuffle(cotangent, upscale_factor),)


def pixel_unshuffle(x: Computed, downscale_factor: int) -> Computed:
    """:func:`refimpl.shuffling.pixel_unshuffle`."""
    return x.map(lambda a: shuffling.pixel_unshuffle(a, downscale_factor))


def pixel_unshuffle_gradients(cotangent: Computed, x: Computed, downscale_factor: int) -> tuple[Computed, ...]:
    """The inverse of the cotangent."""
    return (pixel_shuffle(cotangent, downscale_factor),)


def channel_shuffle(x: Computed, groups: int) -> Computed:
    """:func:`refimpl.shuffling.channel_shuffle`."""
    return x.map(lambda a: shuffling.channel_shuffle(a, groups))


def channel_shuffle_gradients(cotangent: Computed, x: Computed, groups: int) -> tuple[Computed, ...]:
    """The inverse of the cotangent: a shuffle of as many groups as a group has channels."""
    return (channel_shuffle(cotangent, max(1, x.shape[1] // groups)),)
