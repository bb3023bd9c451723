"""The chapter's own way to compute a layer: a double loop in Python over torch slices (S4, S15).

Not a reference to verify against: it is what a reader of the chapter runs, and so the speed to compare with.
"""

from __future__ import annotations

import torch
from torch import Tensor


def corr2d(X: Tensor, K: Tensor) -> Tensor:
    """Cross-correlation (S4). X: (H, W); K: (A, B). Returns (H−A+1, W−B+1).

    >>> corr2d(torch.arange(9.0).reshape(3, 3), torch.tensor([[0.0, 1.0], [2.0, 3.0]]))
    tensor([[19., 25.],
            [37., 43.]])
    """
    h, w = K.shape
    Y = torch.zeros(X.shape[0] - h + 1, X.shape[1] - w + 1)
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = (X[i : i + h, j : j + w] * K).sum()
    return Y


def pool2d(X: Tensor, size: tuple[int, int], mode: str = "max") -> Tensor:
    """Pooling with stride 1 (S15). X: (H, W); size: (A, B); mode: "max" or "avg". Returns (H−A+1, W−B+1).

    >>> pool2d(torch.arange(9.0).reshape(3, 3), (2, 2))
    tensor([[4., 5.],
            [7., 8.]])
    """
    h, w = size
    reduce = {"max": "amax", "avg": "mean"}[mode]
    Y = torch.zeros(X.shape[0] - h + 1, X.shape[1] - w + 1)
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = getattr(X[i : i + h, j : j + w], reduce)()
    return Y
