"""What people look at: tables for the terminal, Markdown and one HTML page, made of plain records.

A record is a flat dict, a row of the frames. The room knows nothing of how the numbers came to be.
"""
