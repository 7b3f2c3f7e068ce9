"""``python -m bench`` is ``gdbench``."""

from bench.cli import main

if __name__ == "__main__":
    main()
