"""Fashion-MNIST: its file format, the bundled sample, and pictures of what LeNet sees."""
