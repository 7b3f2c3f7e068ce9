"""The gradient-descent cells of five published notebooks, as they compute, each with the cause it must get.

A variant is named for its notebook (000 to 004) and its cell; one without an expected cause was right. Data, start and
learning rate come from the problem; the notebooks' own are the problems line-4, line-6, linear-4-lr0.01,
linear-4-lr0.001 and crop-yield. What a printout alone got wrong (the value of another variable, the loss of an earlier
model) no returned state can show; tests/gd_impls/test_as_published.py computes it. A run that names no variant proves
these and times none of them.
"""
