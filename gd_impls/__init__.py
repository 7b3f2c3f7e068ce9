"""Implementations of gradient descent for least squares: one file a family, each to be read like a textbook.

Start with ``numpy_analytic``; ``torch_manual`` is the same descent with the gradient found by autograd.
"""
