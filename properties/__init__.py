"""Laws: what must hold of every operator on every subject, searched for counterexamples by Hypothesis.

Three nouns. An *operator* (:mod:`properties.operators`) is what should be computed: a reference from
:mod:`refimpl`, the torch call, the cases, the bound. A *subject* (:mod:`properties.subjects`) is what computes
it: a device and a dtype. A *law* (``properties/laws/test_*.py``) is what must hold. The suite is their product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from properties.session.notebook import Checked


def check(
    *,
    seconds: float = 30.0,
    dtypes: Sequence[str] = ("float32", "bfloat16"),
    without: Iterable[str] = (),
    **functions: Callable[..., Any],
) -> Checked:
    """Hold functions to the laws of those of torch.nn.functional that have the same names, on the CPU.

    seconds: how long to look; it ends at the first divergence, and finishes what it has begun. without: what the
    functions are not meant to take, in the words of ``--without``. Calls are made in a fork of this process, where a
    crash is a verdict. After autograd has run in it, torch refuses gradients in a fork: then the functions, and what
    they use, are pickled by cloudpickle for a new process. What cannot be pickled is called in this process itself.
    Raises ValueError for what cannot be held; a divergence is told, not raised::

        from properties import check

        result = check(conv2d=my_conv2d, seconds=30)
        print(result)                     # the verdict, and the smallest case that was found
        result.raise_for_divergence()     # in a test
    """
    from properties.session import notebook  # torch and the laws take seconds to import

    return notebook.check(functions, seconds, dtypes, without)
