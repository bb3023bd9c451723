"""oneDNN's transposed convolution, which plans for every step of a stride."""

from __future__ import annotations

from properties.cases.case import Case
from properties.edges.huge import Huge
from properties.ledger.backends import without_onednn
from properties.ledger.examples import transposed
from properties.ledger.record import TRANSPOSED, known
from properties.ledger.windows import where_valid
from properties.subjects import Subject

LONG = range(2**13, 2**31)
"""Strides for which it takes from a tenth of a second on; those of more bits oneDNN does not take."""


@known(
    "onednn-transposed-crash-of-long-strides",
    TRANSPOSED,
    severity="crash",
    laws=("huge arguments",),
    dtypes=("float32",),
    lacking="avx512_f",
    chance="what takes some seconds gives the right elements",
    why="torch.nn.ConvTranspose1d: no limit on the stride; one image, float64, two groups and oneDNN off give the four "
    "elements of the output at once",
    example=Huge(
        *transposed((2, 1, 2), (1, 1, 3), stride=(2**20 - 1,), padding=(2**19 - 1,)), inflated=("stride", "padding")
    ),
)
@where_valid
def _long_strides(case: Case, subject: Subject) -> bool:
    """Each step of a stride is gone through, however short the output is: 6 s for one channel and a stride of 2¹⁵, 4 s
    for 2³⁰, half a minute for twelve and 2³¹ − 1; from 2¹⁶ to 2²⁴ the process ends with SIGSEGV."""
    long = case.arguments["groups"] == 1 and any(stride in LONG for stride in case.arguments["stride"])
    return long and not without_onednn(case, subject)
