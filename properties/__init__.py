"""Laws: what must hold of every operator on every subject, searched for counterexamples by Hypothesis.

Three nouns. An *operator* (:mod:`properties.operators`) is what should be computed: a reference from
:mod:`refimpl`, the torch call, the cases, the bound. A *subject* (:mod:`properties.subjects`) is what computes
it: a device and a dtype. A *law* (``properties/laws/test_*.py``) is what must hold. The suite is their product.
"""
