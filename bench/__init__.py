"""Benchmarks: LeNet's training on Fashion-MNIST, and the references beside the chapter's own loops."""
