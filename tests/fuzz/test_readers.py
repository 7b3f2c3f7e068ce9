"""Whatever bytes a file holds, its reader takes them or refuses them with a message: nothing else ever happens.

The coverage-guided fuzzer of the same readers is tests/fuzz/fuzz.py, in its own tox environment.
"""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.runs.strict_json import from_json, plain, to_json
from tests.fuzz.readers import READERS, read

CORPUS = Path(__file__).parent / "corpus"
SEEDS = {path.name: path.read_bytes() for path in sorted(CORPUS.iterdir())}
SEEDED = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
of_every_reader = pytest.mark.parametrize("name", READERS)
of_every_seed = pytest.mark.parametrize("seed", SEEDS)


def reader_of(seed: str) -> str:
    return seed.partition("-")[0]


def test_every_reader_has_a_seed() -> None:
    assert {reader_of(seed) for seed in SEEDS} == set(READERS)


@of_every_seed
def test_a_right_file_is_taken(seed: str) -> None:
    assert read(reader_of(seed), SEEDS[seed])


@of_every_reader
def test_any_bytes(name: str) -> None:
    @settings(SEEDED, max_examples=40)
    @given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
    def check(data: bytes) -> None:
        read(name, data)

    check()


@of_every_seed
def test_a_right_file_with_a_few_wrong_bytes(seed: str) -> None:
    whole = SEEDS[seed]

    @settings(SEEDED, max_examples=60)
    @given(st.integers(0, 2**32), st.integers(1, 6))
    def check(choice: int, times: int) -> None:
        read(reader_of(seed), damaged(whole, random.Random(choice), times))

    check()


def damaged(data: bytes, choice: random.Random, times: int) -> bytes:
    for _ in range(times):
        at, to = sorted(choice.randrange(len(data) + 1) for _ in range(2))
        match choice.randrange(5):
            case 0:
                data = data[:at] + bytes([choice.randrange(256)]) + data[at + 1 :]
            case 1:
                data = data[:at]
            case 2:
                data = data[:at] + data[to:]
            case 3:
                data = data[:at] + data[at : at + 40] * choice.randrange(2, 30) + data[at:]
            case _:
                data = (
                    data[:at] + choice.choice([b"NaN", b"1e999", b'"', b"}", b"\x00", b"\xff", b"[" * 3000]) + data[at:]
                )
    return data


@pytest.mark.parametrize("seed", [seed for seed in SEEDS if SEEDS[seed].startswith(b"{")])
def test_a_right_document_with_a_wrong_value(seed: str) -> None:
    documents = [json.loads(part) for part in SEEDS[seed].split(b"\x00")]

    @settings(SEEDED, max_examples=60)
    @given(st.integers(0, 2**32), values)
    def check(choice: int, value: Any) -> None:
        changed = [with_another(document, random.Random(choice), plain(value)) for document in documents]
        data = b"\x00".join(to_json(document).encode() for document in changed)
        read(reader_of(seed), data)

    check()


def with_another(document: Any, choice: random.Random, value: Any) -> Any:
    """The document with the value in place of one that it holds, at any depth."""
    if not isinstance(document, dict | list) or not document or choice.random() < 0.1:
        return value
    if isinstance(document, list):
        at = choice.randrange(len(document))
        return [*document[:at], with_another(document[at], choice, value), *document[at + 1 :]]
    key = choice.choice(sorted(document))
    if choice.random() < 0.1:
        return {name: held for name, held in document.items() if name != key}
    return document | {key: with_another(document[key], choice, value)}


@settings(SEEDED, max_examples=200)
@given(values)
def test_what_is_written_is_read_again(value: Any) -> None:
    assert from_json(to_json(value), "the text") == plain(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 1}',
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        '"\\ud800"',
        "[" * 100_000,
        "1" * 5000,
        "{} {}",
        "",
    ],
)
def test_what_is_not_strict_json_is_refused(text: str) -> None:
    assert not read("strict_json", text.encode())
