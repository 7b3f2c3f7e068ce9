"""Broken before any mathematics: these show in a single reply."""

from bench.proof.causes.cause import Cause

CONTRACT = (
    Cause(
        code="contract.shape",
        title="the result has another shape than the contract asks for",
        looks_like="(N,) arrays, a scalar weight, a transposed weight, a tuple in place of a Descent",
        fix="w (M, D), b (M,) or None, losses (n_iters,), with the batch dimensions of the problem in front",
        example="return Descent(w[0], b)",
    ),
    Cause(
        code="contract.dtype",
        title="the result has another dtype than the data",
        looks_like="arrays made with the library's default dtype, Python floats turned into float64 arrays",
        fix="create every array with the problem's dtype: np.empty(n_iters, x.dtype), torch.zeros_like(w0)",
        example="w = torch.zeros(1, 1)   # float32 whatever x is",
    ),
    Cause(
        code="contract.device",
        title="the result is on another device than the data",
        looks_like="tensors made without device=, or .cpu() before returning",
        fix="create every tensor with device=x.device",
        example="losses = torch.empty(n_iters)",
    ),
    Cause(
        code="contract.not-finite",
        title="the result has a NaN or an infinity where the exact iterate is finite",
        looks_like="a division by zero, uninitialised memory (np.empty), or a step so long that it diverges",
        fix="find the first iteration whose loss is not finite",
        example="w = np.empty_like(w0)",
    ),
    Cause(
        code="contract.mutates-input",
        title="the problem's own arrays were changed",
        looks_like="an in-place operation on x, y, w0 or b0: x /= ..., w = problem.w0; w -= ...",
        fix="work on copies: w = problem.w0.copy() or .clone()",
        example="w = problem.w0; w -= lr * gradient",
    ),
    Cause(
        code="contract.raised",
        title="it raised an exception",
        looks_like="see the message; a variant that cannot do a problem raises Unsupported with the reason",
        fix="raise Unsupported('why') for problems it does not do; mend the rest",
        example="raise ValueError('shapes do not match')",
    ),
)
