"""What the suite proves of itself: it catches planted faults, passes what is right, and survives hostile kernels."""
