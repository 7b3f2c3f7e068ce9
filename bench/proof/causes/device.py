"""Where and when the work is done. These do not show in numbers that the judge has waited for; they have no test."""

from bench.proof.causes.cause import Cause

DEVICE = (
    Cause(
        code="device.unfinished",
        title="it returns before the device has done the work",
        looks_like="a side stream, non_blocking=True; the judge reads the result to its last byte, which waits for it",
        fix="leave the work on the current stream, or wait for the stream it is on",
        example="with torch.cuda.stream(side): w = descend(w)",
    ),
    Cause(
        code="device.host-copy",
        title="the work is done on another device than the data's",
        looks_like=".cpu(), .numpy() or .item() in the loop; a result left there is contract.device",
        fix="keep every array on the device of x",
        example="w = w.cpu() - lr * dw.cpu()",
    ),
)
