"""Machine limits: the fastest this machine could do an iteration, measured in the same run, and which term binds."""
