"""What runs where torch runs: one call in, one outcome out.

Everything here needs torch, NumPy and the standard library alone, so that an interpreter with another torch, and
nothing else of this suite, can serve as a worker.
"""
