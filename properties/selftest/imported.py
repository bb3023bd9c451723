"""What a nested run of pytest finds imported: all that it would import itself, and Numba ready to load a loop."""

from __future__ import annotations

import properties.session.search_plugin  # noqa: F401
from properties.engine.law import every

every()
