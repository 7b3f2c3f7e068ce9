"""The proof: is this gradient descent, and if not, what is it instead?"""
