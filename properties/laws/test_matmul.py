"""A 1×1 convolution is a matrix product: a fully connected layer at each pixel (S14)."""

from __future__ import annotations

from properties.cases.case import Case, cases
from properties.engine.law import law
from properties.operators import Operator, convolution, operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict

MATMUL = operator("matmul")


@law(
    "1×1 = matmul",
    covers=lambda operator: operator.has("kernel"),
    cases=lambda operator: cases(convolution.pointwise_geometry(operator.axes)),
    systems=("S14",),
    elementwise=True,
)
def test_pointwise_is_matmul(operator: Operator, subject: Subject, case: Case) -> None:
    """reshape(K, (c_o, c_i)) @ reshape(X, (c_i, h·w)), by the layer and by matmul, is the loops' product."""
    x, weight = operator.operands(case, subject.format).values()
    matrices = {"input": weight.reshape(weight.shape[:2]), "other": x.reshape(x.shape[0], -1)}
    product = MATMUL.expected(matrices, {}, subject.format)["output"]
    if not subject.kernels:  # torch.nn.functional has no matmul that could be defined in its place
        verdict(subject.run(MATMUL.program, matrices), {"output": product}, subject)
    image = product.map(lambda values: values.reshape(weight.shape[0], *x.shape[1:]))
    verdict(subject.run(operator.program, {"input": x, "weight": weight}), {"output": image}, subject)
