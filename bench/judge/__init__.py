"""The judge: worker processes, the bytes between them, and the limits on their time and memory."""
