"""A coverage-guided fuzzer of every reader: python tests/fuzz/fuzz.py -runs=20000 -seed=4 [READER...].

It needs atheris, and stops at the first input that a reader neither takes nor refuses with a message.
"""

import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["bench", "tests.fuzz"]):
    from tests.fuzz.readers import READERS, read

CORPUS = Path(__file__).parent / "corpus"
NAMES = sorted(READERS)


def one_input(data: bytes) -> None:
    """The first byte says which reader, the others are the file."""
    if data:
        read(CHOSEN[data[0] % len(CHOSEN)], data[1:])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    options = [word for word in sys.argv[1:] if word.startswith("-")]
    CHOSEN = [word for word in sys.argv[1:] if not word.startswith("-")] or NAMES
    # libFuzzer adds what it finds to the corpus that it is given.
    with tempfile.TemporaryDirectory() as folder:
        for seed in CORPUS.iterdir():
            name = seed.name.partition("-")[0]
            if name in CHOSEN:
                (Path(folder) / seed.name).write_bytes(bytes([CHOSEN.index(name)]) + seed.read_bytes())
        atheris.Setup([sys.argv[0], *options, "-max_len=20000", "-artifact_prefix=fuzz-", folder], one_input)
        try:
            atheris.Fuzz()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
