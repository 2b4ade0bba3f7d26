"""Checks of samplers' arguments: each raises a `CompileError` that names the sampler and the argument."""

from kprob.errors import CompileError, did_you_mean, explain, names


def check_choice(sampler: object, argument: str, value: object, choices: tuple[str, ...]) -> None:
    """Raises where an argument isn't one of the words that it can be."""
    if value not in choices:
        raise CompileError(
            explain(
                f"{type(sampler).__name__} doesn't know this `{argument}`.{did_you_mean(str(value), choices)}",
                received=f"{argument}={value!r}",
                expected=names(choices),
                fix=f'write {argument}="{choices[0]}"',
            )
        )


def check_rate(sampler: object, rate: float, argument: str = "target_accept_rate") -> None:
    """Raises where an argument isn't a probability."""
    if isinstance(rate, bool) or not isinstance(rate, float) or not 0.0 < rate < 1.0:
        raise CompileError(
            explain(
                f"{type(sampler).__name__}'s `{argument}` is a probability.",
                received=f"{argument}={rate!r}",
                expected="a number between 0 and 1",
                fix=f"write {argument}=0.8",
            )
        )


def check_positive(sampler: object, argument: str, value: object) -> None:
    """Raises where an argument isn't a positive number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < float("inf"):
        raise CompileError(
            explain(
                f"{type(sampler).__name__}'s `{argument}` is a positive number.",
                received=f"{argument}={value!r}",
                expected="a number above 0",
                fix=f"write {argument}=0.1",
            )
        )
