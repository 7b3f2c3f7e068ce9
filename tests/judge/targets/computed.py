"""Registers what it computes: only importing it tells."""

from bench import Descent, Problem, variant

for number in (1, 2):

    @variant(f"test-computed-{number}", backend="numpy", expect="update.never" if number == 2 else None)
    def computed(problem: Problem, n_iters: int) -> Descent:
        """One of two."""
        return Descent(problem.w0, problem.b0)
