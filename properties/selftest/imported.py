"""What a nested run of pytest finds imported: all that it and torch in it would import, and Numba ready to load."""

from __future__ import annotations

import torch._dynamo  # noqa: F401 (what torch imports in a first call of backward, grad or step)

import properties.session.search_plugin  # noqa: F401
from properties.engine.law import every

every()
