"""What messages call a model."""


def owner_of(model) -> str:
    """Returns the name that the user knows a model by: its class's, or that of the function that it was made of."""
    function = model.__dict__.get("function")
    return type(model).__name__ if function is None else function.__name__
