"""What a worker may say in reply to a request that is not timed."""

from bench.judge.later import MODULES
from bench.judge.protocol import Kind

_VARIANT_FIELDS = ("name", "backend", "family", "target", "expect", "summary", "origin")


def answers(kind: Kind, reply: object) -> bool:
    """Whether JSON from a worker is what a request of a kind asks for, and nothing else.

    >>> answers(Kind.DEVICES, {"devices": ["cpu"], "said": ""}), answers(Kind.DEVICES, ["cpu"])
    (True, False)
    """
    match kind, reply:
        case Kind.LOAD, {"file": str(), "memory_limited": bool(), "device_id": None | str(), "uses": dict(uses)}:
            return uses.keys() <= set(MODULES) and all(isinstance(there, bool) for there in uses.values())
        case (Kind.LATENCIES | Kind.IDENTITY, None) | (Kind.IDENTITY, str()):
            return True
        case Kind.LATENCIES, dict(named):
            numbers = all(ns is None or type(ns) is float for ns in named.values())
            return numbers and tuple(named) == ("launch_ns", "replay_ns", "graph_kernel_ns")
        case Kind.DEVICES, {"devices": list(names), "said": str()}:
            return len(names) > 0 and all(isinstance(name, str) for name in names)
        case Kind.DESCRIBE, list(variants):
            return all(isinstance(fields, dict) and _is_variant(fields) for fields in variants)
    return False


def _is_variant(fields: dict[str, object]) -> bool:
    return tuple(fields) == _VARIANT_FIELDS and all(
        isinstance(value, str) or (name == "expect" and value is None) for name, value in fields.items()
    )
