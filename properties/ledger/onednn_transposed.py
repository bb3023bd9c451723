"""oneDNN's transposed convolution, which plans for every step of a stride."""

from __future__ import annotations

from properties.cases.case import Case
from properties.edges.huge import Huge
from properties.ledger.aten_convolution import without_onednn
from properties.ledger.examples import transposed
from properties.ledger.record import TRANSPOSED, known
from properties.ledger.windows import where_valid
from properties.subjects import Subject

LONGEST = 2**13
"""A stride of so many elements takes a tenth of a second to plan for."""


@known(
    "onednn-transposed-crash-of-long-strides",
    TRANSPOSED,
    severity="crash",
    laws=("huge arguments",),
    dtypes=("float32",),
    lacking="avx512_f",
    why="torch.nn.ConvTranspose1d: no limit on the stride; one image, float64, two groups and oneDNN off give the four "
    "elements of the output at once",
    example=Huge(
        *transposed((2, 1, 2), (1, 1, 3), stride=(2**20 - 1,), padding=(2**19 - 1,)), inflated=("stride", "padding")
    ),
)
@where_valid
def _long_strides(case: Case, subject: Subject) -> bool:
    """Code is made for each step of a stride, however short the output is: for one channel it takes 6 s for a stride of
    2¹⁵, and from 2¹⁶ on the process ends with SIGSEGV, or makes code without end."""
    return (
        case.arguments["groups"] == 1 and not without_onednn(case, subject) and max(case.arguments["stride"]) > LONGEST
    )
