"""What torch is known to get wrong, by the component that is wrong (see :mod:`properties.ledger.known`).

Upstream links are to reports that were read. pytorch#171034, which was named as one that may fit, could not be: it
stands between those of December 2025 on paddings that overflow (#169741) and the change for them (#172923).
"""
