"""torch.nn.utils.fusion."""

from __future__ import annotations

from properties.cases.case import Case
from properties.ledger.record import TRANSPOSED, known
from properties.subjects import Subject


@known(
    "folding-into-grouped-transposed-convolution",
    TRANSPOSED,
    severity="valid arguments rejected",
    laws=("folded normalisation",),
    dtypes=("float64", "float32"),
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/issues/180995",
    why="torch.nn.utils.fusion.fuse_conv_bn_weights: transpose is 'whether the conv layer is transposed', of any "
    "groups; without transpose any groups are folded",
    example=Case(
        {"input": (1, 2, 2), "weight": (2, 2, 1)},
        {"stride": (1,), "padding": (0,), "output_padding": (0,), "dilation": (1,), "groups": 2},
        "normal",
    ),
)
def _grouped(case: Case, subject: Subject) -> bool:
    """Of several groups the scales of all output channels meet a weight that has those of one group: an error, or, of
    one channel each, a weight of another shape."""
    return bool(case.arguments["groups"] > 1)
