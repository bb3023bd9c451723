"""The same LeNet in other libraries, to stand beside torch in one run.

A peer is a class made from LeNet's first parameters (the names and shapes of :data:`refimpl.lenet.PARAMETER_SHAPES`)
and a learning rate. ``step(images, labels)`` takes one step of SGD on arrays (N, 1, 28, 28) and (N,) and returns the
mean loss before it. ``logits(images)`` is the forward pass alone, which gives (N, 10); onnxruntime has no other.
"""
