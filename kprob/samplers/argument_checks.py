"""Checks of samplers' arguments: each raises a `CompileError`."""

from kprob.errors import CompileError, did_you_mean, explain, names
from kprob.options import check_number


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


def check_rate(rate: object, argument: str = "target_accept_rate") -> None:
    """Raises where an argument isn't a probability."""
    check_number(argument, rate, 0.0, 1.0, example=0.8, error=CompileError)


def check_positive(argument: str, value: object) -> None:
    """Raises where an argument isn't a positive number."""
    check_number(argument, value, 0.0, error=CompileError)
