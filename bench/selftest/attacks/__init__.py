"""Small variants that try to fool, stall or damage the harness. Bounded: harmless with every mechanism off.

Those that try to do damage descend honestly once they have done it, and raise where they were stopped.
"""
