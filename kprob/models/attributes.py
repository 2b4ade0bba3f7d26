"""The attributes that a model's constructor sets."""

from kprob.errors import SiteError, explain


def require_initialised(model) -> None:
    """Raises where a subclass forgot to call its base class's constructor."""
    name = type(model).__name__
    if "_objective" not in model.__dict__:
        raise SiteError(
            explain(
                f"{name} was made without its base class.",
                received=f"{name}.__init__, which doesn't call super().__init__",
                expected="super().__init__(**kwargs) as the first line of __init__",
                fix="write def __init__(self, ..., **kwargs): super().__init__(**kwargs)",
            )
        )
