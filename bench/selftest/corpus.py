"""The table of attacks and controls: what each must come to, and what sees to it."""

from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module

from bench.judge.mechanisms import Mechanism
from bench.proof.verdict import Status
from bench.variants.contract import Variant, VariantFunction

USUAL_PROBLEM = "line-4"
"""Small, without a bias, and converged to the last bit after some hundreds of iterations."""

_PACKAGE = "bench.selftest"


class Outcome(StrEnum):
    """What an attack must come to. The list is closed."""

    REJECTED = "rejected"
    """Not proved."""
    REJECTED_WHEN_TIMED = "rejected when timed"
    """Proved, and refused a timing."""
    FLAGGED = "flagged"
    """Timed, with a flag beside the number."""
    TRUE_COST = "true cost"
    """Timed, at no less than an honest loop that does the same work."""


class Check(StrEnum):
    """What catches an attack that needs no mechanism of its own. The list is closed."""

    ITERATES = "exact iterates"
    CONTRACT = "contract of an answer"
    OWN_LAUNCH = "fresh process a launch"


@dataclass(frozen=True, slots=True)
class Attack:
    """One row of the table.

    Attributes:
        module: of `bench.selftest.attacks`.
        function: the variant.
        outcome: what it must come to.
        caught_by: what sees to it.
        statuses: what its verdict may be, where it must be rejected.
        dtype: of its cell.
        problem: of its cell.
        twin: the control that it is timed against.
        waits: whether it costs the deadline of a call.
        sooner: what its verdict may be besides, where it is to be proved: whether an object's identity is used again is
            up to the allocator.
    """

    module: str
    function: str
    outcome: Outcome
    caught_by: Mechanism | Check
    statuses: tuple[Status, ...] = (Status.WRONG,)
    dtype: str = "float64"
    problem: str = USUAL_PROBLEM
    twin: str = "plain"
    waits: bool = False
    sooner: tuple[Status, ...] = ()

    @property
    def name(self) -> str:
        """As tables show it.

        >>> attack("patching", "frozen_clock").name
        'patching: frozen clock'
        """
        return f"{self.module}: {self.function.replace('_', ' ')}"

    @property
    def tries(self) -> str:
        """What it tries: the first line of its docstring."""
        found: VariantFunction = getattr(import_module(f"{_PACKAGE}.attacks.{self.module}"), self.function)
        return (found.__doc__ or "").partition("\n")[0]

    @property
    def variant(self) -> Variant:
        """The attack, as the harness takes it."""
        return _variant(self.name, f"attacks.{self.module}", self.function)

    @property
    def timed(self) -> bool:
        """Whether it is to be proved, and timed."""
        return self.outcome is not Outcome.REJECTED

    @property
    def verdicts(self) -> tuple[Status, ...]:
        """What its verdict may be."""
        return (Status.PROVED, *self.sooner) if self.timed else self.statuses


def control(function: str) -> Variant:
    """A control, as the harness takes it."""
    return _variant(f"control: {function.replace('_', ' ')}", "controls", function)


def attack(module: str, function: str) -> Attack:
    """The row of an attack.

    Raises:
        KeyError: there is none.
    """
    return _BY_NAME[module, function]


def _variant(name: str, module: str, function: str) -> Variant:
    backend = "torch" if function.startswith("torch") else "numpy"
    return Variant(name, backend, "selftest", f"{_PACKAGE}.{module}:{function}")


_BROKEN, _CRASHED, _TIMEOUT, _MEMORY = (Status.BROKEN,), (Status.CRASHED,), (Status.TIMEOUT,), (Status.OUT_OF_MEMORY,)
_EITHER = (Status.BROKEN, Status.CRASHED)
_REJECTED, _TIMED, _FLAGGED, _COST = Outcome
_M, _C = Mechanism, Check

_LONG = "gaussian:n=2060,d=1,bias=no"
"""So many samples that a sum in float16 may lose everything: nothing can be told apart there."""

ATTACKS = (
    # Remembering.
    Attack("caching", "answers_by_identity", _TIMED, _M.CHECKED_ANSWERS, sooner=(Status.WRONG, Status.BROKEN)),
    Attack("caching", "answers_by_pointer", _REJECTED, _C.ITERATES),
    Attack("caching", "answers_by_shape", _REJECTED, _C.ITERATES),
    Attack("caching", "answers_by_data", _REJECTED, _C.ITERATES),
    Attack("caching", "answers_by_fingerprint", _COST, _M.FRESH_DATA),
    Attack("caching", "answers_by_everything", _COST, _M.FRESH_DATA),
    Attack("caching", "answers_in_a_file", _REJECTED, _M.LANDLOCK, (Status.WRONG, Status.BROKEN)),
    Attack("caching", "gram_by_shape", _REJECTED, _C.ITERATES),
    Attack("caching", "gram_by_pointer", _REJECTED, _C.ITERATES),
    Attack("caching", "gram_of_the_proof", _REJECTED, _C.ITERATES),
    Attack("caching", "gram_by_content", _COST, _M.FRESH_DATA, twin="gram"),
    Attack("caching", "warm_start", _REJECTED, _C.ITERATES),
    # Iterating less.
    Attack("shortcuts", "least_squares", _REJECTED, _C.ITERATES),
    Attack("shortcuts", "spectral_closed_form", _REJECTED, _C.ITERATES),
    Attack("shortcuts", "repeated_squaring", _TIMED, _M.PHYSICAL_FLOOR),
    Attack("shortcuts", "fixed_point", _TIMED, _M.PHYSICAL_FLOOR),
    Attack("shortcuts", "half_the_iterations", _REJECTED, _C.ITERATES),
    Attack("shortcuts", "every_tenth_skipped", _REJECTED, _C.ITERATES),
    Attack("shortcuts", "last_skipped", _REJECTED, _C.ITERATES),
    Attack("shortcuts", "at_most_fifty", _REJECTED, _C.ITERATES),
    Attack("shortcuts", "early_stop", _REJECTED, _C.ITERATES),
    Attack("shortcuts", "nothing", _REJECTED, _C.ITERATES),
    Attack("shortcuts", "declines_the_probes", _REJECTED, _M.POWER, (Status.JUDGE_ERROR,), "float16", problem=_LONG),
    Attack("shortcuts", "momentum", _REJECTED, _C.ITERATES),
    Attack("shortcuts", "single_precision", _REJECTED, _C.ITERATES),
    # Honest while watched.
    Attack("detection", "by_many_calls", _TIMED, _M.CHECKED_ANSWERS),
    Attack("detection", "by_repeated_length", _TIMED, _M.CHECKED_ANSWERS),
    Attack("detection", "by_two_lengths", _COST, _M.RANDOM_LENGTHS),
    Attack("detection", "by_long_calls", _TIMED, _M.PHYSICAL_FLOOR),
    Attack("detection", "by_one_iteration", _TIMED, _M.CHECKED_ANSWERS),
    Attack("detection", "padded_short_calls", _FLAGGED, _M.SETUP_SHARE),
    Attack("detection", "sleeping_short_calls", _FLAGGED, _M.PROCESSOR_TIME),
    # Working elsewhere.
    Attack("elsewhere", "in_a_thread", _COST, _M.JUDGES_CLOCK, twin="thread_per_call"),
    Attack("elsewhere", "returned_before_it_is_computed", _REJECTED, _C.ITERATES),
    Attack("elsewhere", "on_two_processors", _FLAGGED, _M.PROCESSOR_TIME),
    Attack("elsewhere", "between_calls", _FLAGGED, _M.PROCESSOR_TIME),
    Attack("elsewhere", "in_a_helper_process", _COST, _M.JUDGES_CLOCK),
    Attack("elsewhere", "lazy_array", _REJECTED, _C.CONTRACT, _BROKEN),
    Attack("elsewhere", "generator", _REJECTED, _C.CONTRACT, _BROKEN),
    Attack("elsewhere", "lazy_descent", _COST, _M.JUDGES_CLOCK),
    # Changing the harness, and looking for its answers.
    Attack("patching", "frozen_clock", _COST, _M.JUDGES_CLOCK),
    Attack("patching", "agreeable_timing", _COST, _M.JUDGES_CLOCK),
    Attack("patching", "agreeable_comparisons", _REJECTED, _M.OWN_PROCESS),
    Attack("patching", "agreeable_harness", _REJECTED, _M.OWN_PROCESS),
    Attack("patching", "agreeable_array", _REJECTED, _M.OWN_PROCESS),
    Attack("patching", "late_array", _REJECTED, _C.ITERATES),
    Attack("patching", "collector_hunt", _REJECTED, _M.OWN_PROCESS),
    Attack("patching", "stack_inspection", _REJECTED, _M.OWN_PROCESS),
    Attack("patching", "own_reply", _REJECTED, _M.CHECKED_REPLIES, _CRASHED),
    Attack("patching", "reply_in_advance", _REJECTED, _M.CHECKED_REPLIES, _CRASHED),
    Attack("patching", "endless_reply", _REJECTED, _M.CHECKED_REPLIES, _CRASHED),
    Attack("patching", "garbage_reply", _REJECTED, _M.CHECKED_REPLIES, _CRASHED),
    # Writing to the inputs.
    Attack("inputs", "in_place", _REJECTED, _M.SEALED_INPUTS, _BROKEN),
    Attack("inputs", "made_writeable", _REJECTED, _M.SEALED_INPUTS, _EITHER),
    Attack("inputs", "start_in_place", _REJECTED, _M.SEALED_INPUTS, _EITHER),
    Attack("inputs", "by_address", _REJECTED, _M.SEALED_INPUTS, _EITHER),
    Attack("inputs", "by_remapping", _REJECTED, _M.SEALED_INPUTS, _EITHER),
    Attack("inputs", "borrowed", _COST, _M.FRESH_DATA),
    Attack("inputs", "pristine_too", _REJECTED, _M.SEALED_INPUTS, _EITHER),
    Attack("inputs", "kept_for_later", _REJECTED, _C.ITERATES, (Status.WRONG, Status.CRASHED)),
    Attack("inputs", "torch_in_place", _REJECTED, _M.SEALED_INPUTS, _EITHER),
    # Answers that are none.
    Attack("answers", "not_a_number", _REJECTED, _M.NOT_FINITE, _BROKEN),
    Attack("answers", "not_a_number_when_long", _REJECTED, _M.NOT_FINITE, _BROKEN),
    Attack("answers", "infinite", _REJECTED, _M.NOT_FINITE, _BROKEN),
    Attack("answers", "infinite_when_timed", _TIMED, _M.NOT_FINITE),
    Attack("answers", "losses_not_a_number", _REJECTED, _M.NOT_FINITE, _BROKEN),
    Attack("answers", "made_up_losses", _REJECTED, _C.ITERATES),
    Attack("answers", "objects", _REJECTED, _C.CONTRACT, _BROKEN),
    Attack("answers", "huge", _REJECTED, _C.CONTRACT, _BROKEN),
    Attack("answers", "one_axis_short", _REJECTED, _C.CONTRACT, _BROKEN),
    Attack("answers", "one_axis_long", _REJECTED, _C.CONTRACT, _BROKEN),
    Attack("answers", "predictions", _REJECTED, _C.CONTRACT, _BROKEN),
    Attack("answers", "broadcast_residual", _REJECTED, _C.CONTRACT, _BROKEN),
    Attack("answers", "wider_dtype", _REJECTED, _C.CONTRACT, _BROKEN, dtype="float32"),
    Attack("answers", "complex_numbers", _REJECTED, _C.CONTRACT, _BROKEN),
    Attack("answers", "lists", _REJECTED, _C.CONTRACT, _BROKEN),
    Attack("answers", "no_descent", _REJECTED, _C.CONTRACT, _BROKEN),
    Attack("answers", "nothing_at_all", _REJECTED, _C.CONTRACT, _BROKEN),
    Attack("answers", "imitation", _REJECTED, _C.ITERATES),
    Attack("answers", "changing", _REJECTED, _M.OWN_PROCESS),
    Attack("answers", "hostile_text", _REJECTED, _M.CHECKED_REPLIES, _BROKEN),
    Attack("answers", "unprintable_error", _REJECTED, _C.CONTRACT, _BROKEN),
    # Ends, hangs, floods, damage.
    Attack("violence", "exits", _REJECTED, _M.OWN_PROCESS, _BROKEN),
    Attack("violence", "exits_at_once", _REJECTED, _M.OWN_PROCESS, _CRASHED),
    Attack("violence", "segfault", _REJECTED, _M.OWN_PROCESS, _CRASHED),
    Attack("violence", "aborts", _REJECTED, _M.OWN_PROCESS, _CRASHED),
    Attack("violence", "kills_itself", _REJECTED, _M.OWN_PROCESS, _CRASHED),
    Attack("violence", "endless_recursion", _REJECTED, _M.OWN_PROCESS, _EITHER),
    Attack("violence", "endless_loop", _REJECTED, _M.DEADLINE, _TIMEOUT, waits=True),
    Attack("violence", "endless_loop_in_c", _REJECTED, _M.DEADLINE, _TIMEOUT, waits=True),
    Attack("violence", "deaf_loop", _REJECTED, _M.DEADLINE, _TIMEOUT, waits=True),
    Attack("violence", "stops_itself", _REJECTED, _M.DEADLINE, _TIMEOUT, waits=True),
    Attack("violence", "hangs_while_timed", _TIMED, _M.DEADLINE, waits=True),
    Attack("violence", "closes_descriptors", _REJECTED, _M.OWN_PROCESS, _CRASHED),
    Attack("violence", "leaks", _REJECTED, _M.MEMORY_LIMIT, _MEMORY),
    Attack("violence", "prints_without_end", _REJECTED, _M.CAPPED_OUTPUT, _BROKEN),
    Attack("violence", "floods_its_log", _REJECTED, _M.FILE_LIMITS, _EITHER),
    Attack("violence", "huge_file", _REJECTED, _M.FILE_LIMITS, _EITHER),
    Attack("violence", "many_files", _REJECTED, _M.FILE_LIMITS, _BROKEN),
    Attack("violence", "many_processes", _COST, _M.GROUP_KILL),
    Attack("violence", "many_threads", _COST, _C.OWN_LAUNCH),
    Attack("violence", "child", _COST, _M.GROUP_KILL),
    Attack("violence", "daemon", _COST, _M.SUB_REAPER),
    Attack("violence", "finds_the_judge", _REJECTED, _M.PID_NAMESPACE, _BROKEN),
    Attack("violence", "kills_its_server", _REJECTED, _M.PID_NAMESPACE, _EITHER),
    Attack("violence", "writes_elsewhere", _REJECTED, _M.LANDLOCK, _BROKEN),
    Attack("violence", "log_becomes_a_pipe", _REJECTED, _M.OWN_PROCESS, _CRASHED),
    Attack("violence", "nested_folders", _REJECTED, _M.OWN_PROCESS, (Status.CRASHED, Status.TIMEOUT)),
    Attack("violence", "borrows_descriptors", _REJECTED, _M.CLOSED_DESCRIPTORS, _BROKEN),
    # Settings that are left changed.
    Attack("settings", "working_directory", _COST, _C.OWN_LAUNCH),
    Attack("settings", "environment", _COST, _C.OWN_LAUNCH),
    Attack("settings", "error_state", _COST, _C.OWN_LAUNCH),
    Attack("settings", "seeds", _COST, _C.OWN_LAUNCH),
    Attack("settings", "collector_on", _COST, _C.OWN_LAUNCH),
    Attack("settings", "signal_handlers", _COST, _C.OWN_LAUNCH),
    Attack("settings", "recursion_limit", _COST, _C.OWN_LAUNCH),
    Attack("settings", "torch_settings", _COST, _C.OWN_LAUNCH, twin="torch_plain"),
    Attack("settings", "torch_subclass", _REJECTED, _C.ITERATES),
)

CONTROLS = (
    "plain", "gram", "affine", "kept_scratch", "returns_kept_buffer", "remembered_constants", "remembered_order",
    "pool_of_threads", "thread_per_call", "longer_inside", "long_double_inside", "prints_a_little", "own_error_state",
    "own_temporary_file", "looks_at_the_clock", "counts_its_calls", "collects", "sample_by_sample", "generator_inside",
    "with_losses", "column_major", "big_endian", "class_with_state", "checks_for_overflow", "torch_threads_restored",
    "torch_plain",
)  # fmt: skip

_BY_NAME = {(row.module, row.function): row for row in ATTACKS}
