import json
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.runs.frames import load

PROVED = {
    "variant": "numpy-analytic",
    "problem": "notebook",
    "device": "cpu",
    "dtype": "float64",
    "ns_per_iter": 2000.0,
    "verified": True,
    "status": "proved",
}


def document(*extras: object) -> dict[str, Any]:
    return {
        "machine_info": {"node": "secret-host", "machine": "x86_64", "cpu": {"brand_raw": "abacus"}},
        "commit_info": {"id": "abc", "dirty": False},
        "datetime": "2026-01-31T12:00:00",
        "version": "5.1.0",
        "benchmarks": [
            {"name": f"test[{number}]", "stats": {"rounds": 12 + number, "mean": 2e-4}, "extra_info": extra}
            for number, extra in enumerate(extras)
        ],
    }


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "bench-0001.json"
    path.write_text(json.dumps(content))
    return path


def test_each_benchmark_is_a_verdict_and_each_proved_one_a_timing(tmp_path: Path) -> None:
    wrong = PROVED | {"variant": "b", "status": "wrong", "verified": False, "cause": "scale.sum", "ns_per_iter": None}
    run = load(written(tmp_path, document(PROVED, wrong)))
    assert run.verdicts[["run", "variant", "status"]].to_numpy().tolist() == [
        ["bench-0001", "numpy-analytic", "proved"],
        ["bench-0001", "b", "wrong"],
    ]
    assert run.verdicts["cause"].tolist()[1] == "scale.sum"
    assert run.verdicts["as_expected"].isna().all()
    assert run.timings[["variant", "ns_per_iter", "samples"]].to_numpy().tolist() == [["numpy-analytic", 2000.0, 12]]
    assert run.timings[["ci_low", "ci_high", "launches"]].isna().all(axis=None)
    assert len(run.iterates) == 0
    assert str(run.timings["ci_low"].dtype) == "Float64"


def test_the_host_name_is_left_out(tmp_path: Path) -> None:
    run = load(written(tmp_path, document(PROVED)))
    assert run.environments == {
        "bench-0001": {
            "machine": {"machine": "x86_64", "cpu": {"brand_raw": "abacus"}},
            "commit": {"id": "abc", "dirty": False},
            "datetime": "2026-01-31T12:00:00",
        }
    }


@pytest.mark.parametrize(
    "change", [{"verified": False}, {"verified": None}, {"ns_per_iter": None}, {"status": "wrong"}, {"status": "void"}]
)
def test_there_is_no_timing_without_a_proof(tmp_path: Path, change: dict[str, object]) -> None:
    run = load(written(tmp_path, document(PROVED | change)))
    assert len(run.verdicts) == 1
    assert len(run.timings) == 0


def test_benchmarks_of_other_suites_are_passed_over(tmp_path: Path) -> None:
    run = load(written(tmp_path, document({}, PROVED, {"size": 3}, None)))
    assert run.timings["samples"].tolist() == [13]


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        ({"benchmarks": []}, "has 0 benchmarks and none is gdbench's"),
        (document({"size": 3}, {}), "has 2 benchmarks and none is gdbench's"),
        ({"schema": "gdbench/verdicts/1", "verdicts": []}, "no list of benchmarks"),
        ([], "no list of benchmarks"),
        (document(PROVED, PROVED | {"status": "fine"}), "benchmark 2 cannot be read: in extra_info 'status' is 'fine'"),
        (document({"variant": "a"}), "benchmark 1 cannot be read: in extra_info 'problem' is None"),
        (document(PROVED | {"ns_per_iter": "fast"}), "'ns_per_iter' is 'fast', not a number"),
    ],
)
def test_what_is_not_of_the_suite_is_refused(tmp_path: Path, content: object, fact: str) -> None:
    with pytest.raises(UsageError, match=fact):
        load(written(tmp_path, content))


def test_statistics_may_be_missing(tmp_path: Path) -> None:
    content = document(PROVED)
    content["benchmarks"][0]["stats"] = None
    assert load(written(tmp_path, content)).timings["samples"].isna().tolist() == [True]
