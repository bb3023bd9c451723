"""Losses of embeddings as torch computes them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, **options: Any) -> Tensor:
    """torch.nn.CosineEmbeddingLoss."""
    return F.cosine_embedding_loss(input1, input2, target.detach(), **options)


def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, **options: Any) -> Tensor:
    """torch.nn.TripletMarginLoss."""
    return F.triplet_margin_loss(anchor, positive, negative, **options)
