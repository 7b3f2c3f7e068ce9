"""torch.utils.benchmark, as its tutorial uses it: ``Timer(...).blocked_autorange()`` with the defaults, and its median.

``python -m scripts.agreement.torch_timer WORK`` prints the seconds of one call.
"""

import json
import sys
from pathlib import Path

from scripts.agreement.works import Work, prepared

NAME = "torch Timer"
RESULT = "output"


def command(work: Work, folder: Path) -> list[str]:  # noqa: ARG001 - it leaves nothing in the folder
    """What is run and timed as one invocation."""
    return [sys.executable, "-m", "scripts.agreement.torch_timer", work.name]


def figures(text: str, work: Work) -> dict[str, float]:
    """Nanoseconds an iteration."""
    return {"median": json.loads(text)["median"] * 1e9 / work.n_iters}


def main(name: str) -> None:
    """Time one work and print the median."""
    from torch.utils.benchmark import Timer  # noqa: PLC0415 - the orchestrating process needs only the command

    measured = Timer("call()", globals={"call": prepared(name)}).blocked_autorange()
    print(json.dumps({"median": measured.median}))


if __name__ == "__main__":
    main(sys.argv[1])
