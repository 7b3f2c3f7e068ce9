"""The oracle: exact iterates of gradient descent, and how far rounding may carry an honest implementation from them."""
