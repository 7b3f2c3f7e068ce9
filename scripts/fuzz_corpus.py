"""Write tests/fuzz/corpus, a small right file for each reader: python scripts/fuzz_corpus.py."""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import bench
from bench.harness import Harness
from bench.judge.protocol import Kind, pack
from bench.plan import Request
from bench.recording import finish_run, record_proofs, start_run
from bench.runs.exchanges import Exchanges
from bench.runs.journal import read_journal

CORPUS = Path(__file__).parents[1] / "tests" / "fuzz" / "corpus"
GATE = '[[tool.gdbench.gate.cells]]\nvariant = "numpy-*"\nproblem = ["line-4"]\nstatus = "proved"\nwithin = 60\n'


def main() -> None:
    """Write every file anew."""
    CORPUS.mkdir(exist_ok=True)
    request = Request(targets=("numpy-analytic",), problems=("line-4",), dtypes=("bfloat16", "float16"))
    with tempfile.TemporaryDirectory() as place, Harness() as harness:
        cells = harness.plan(request)
        with start_run(Path(place), harness.options, ["gdbench", "run", "numpy-analytic"], cells) as folder:
            list(record_proofs(harness, cells, folder))
            finish_run(folder)
        kept = read_journal(folder.path / "journal.jsonl")
        held = Exchanges(folder.path / "exchanges.bin")
        entry = next(iter((folder.path / "journal.jsonl").read_text().splitlines()))
        short = json.loads(entry)
        short["iterates"] = short["iterates"][:2]
        _write("journal-short", (json.dumps(short) + "\n").encode())
        document = json.loads((folder.path / "run.json").read_text())
        document["environment"] = {"gdbench": bench.__version__, "cpu": None}
        _write("run_file-finished", json.dumps(document).encode())
        shutil.copy(folder.path / "verdicts.parquet", CORPUS / "verdicts-two")
        shutil.copy(folder.path / "exchanges.bin", CORPUS / "exchange_file-whole")
        [first, *_] = kept.exchanges.values()
        blob = held.read(first)
        asked = json.loads(blob)
        asked["calls"] = asked["calls"][:3]
        _write("exchange-three", json.dumps(asked).encode() + b"\x00" + held.read(asked["problem"]["data"]))
    extra = {
        "variant": "a",
        "problem": "p",
        "device": "cpu",
        "dtype": "float64",
        "status": "proved",
        "ns_per_iter": 2.0,
    }
    _write("benchmark_json-one", json.dumps({"benchmarks": [{"extra_info": extra, "stats": {"rounds": 3}}]}).encode())
    _write("strict_json-mixed", b'{"a": [1, -2.5e3, null, true, "\\u00e9\\ud83d\\ude00"], "b": {"c": ""}}')
    _write("gate-cells", GATE.encode())
    _write("table_csv-four", b'x,y,"z"\n1,2,a\n2,4.5,b\n-3e1,6,"c,d"\n')
    table = pd.DataFrame({"x": np.arange(4.0), "y": np.arange(4)})
    table.to_parquet(CORPUS / "table_parquet-four", index=False)
    _write("frame-done", pack(Kind.DONE, 1, b"{}"))


def _write(name: str, data: bytes) -> None:
    (CORPUS / name).write_bytes(data)


if __name__ == "__main__":
    main()
