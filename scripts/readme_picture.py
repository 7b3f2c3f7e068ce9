"""Draw docs/picture.svg: what ``gdbench report RUN`` shows of the run that README quotes.

``python scripts/readme_picture.py results/reference-cpu``
"""

import re
import sys
from io import StringIO
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from bench.report.terminal import summary, timing_table, verdict_table
from bench.runs.journal import JOURNAL_NAME, read_journal

WIDTH = 92
SHOWN = ("line-4", "crop-yield", "gaussian")
DTYPE = "float64"
PICTURE = Path(__file__).resolve().parent.parent / "docs" / "picture.svg"


def picture(run: Path) -> str:
    """The tables of a run as SVG, without the web font that rich would fetch."""
    cells = read_journal(run / JOURNAL_NAME)
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor")
    timed = [row for row in cells.timings if row["ns_per_iter"] is not None]
    chosen = [{**row, "note": ""} for row in timed if row["dtype"] == DTYPE and row["problem"] in SHOWN]
    alike = [row for row in cells.verdicts if row["dtype"] == DTYPE and row["status"] != "unsupported"]
    verdict_table(console, alike)
    timing_table(console, chosen)
    console.print(summary(cells.verdicts), highlight=False)
    format_without_font = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return console.export_svg(title="gdbench report", code_format=format_without_font, unique_id="gdbench")


def main() -> int:
    """Write the picture."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    PICTURE.write_text(picture(Path(sys.argv[1])), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
