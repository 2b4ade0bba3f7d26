"""Every public object has a docstring, whose arguments are the real ones and whose examples run."""

import importlib
import inspect
import linecache
import types

import pytest
from docstrings import compare_arguments, documented_arguments, examples, unrun_examples

PUBLIC = (
    "kprob",
    "kprob.layers",
    "kprob.guides",
    "kprob.handlers",
    "kprob.objectives",
    "kprob.distributions",
    "kprob.callbacks",
    "kprob.diagnostics",
    "kprob.models",
    "kprob.optimizers",
    "kprob.samplers",
)


def find_package(name):
    """Returns the module `name`, be it only an attribute of the package, or None."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        parent, _, last = name.rpartition(".")
        return getattr(importlib.import_module(parent), last, None) if parent else None


def is_ours(thing):
    return (getattr(thing, "__module__", None) or "").split(".")[0] == "kprob"


def own_docstring(thing):
    """Returns a docstring that isn't inherited, or ''."""
    return (vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__) or ""


def public_objects():
    """Yields (dotted name, object) for what the public packages export, each object once."""
    seen = set()
    for package in PUBLIC:
        module = find_package(package)
        if module is None:
            continue
        yield package, module
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if is_ours(thing) and (callable(thing) or inspect.isclass(thing)) and id(thing) not in seen:
                seen.add(id(thing))
                yield f"{package}.{name}", thing


def public_methods(name, cls):
    """Yields (dotted name, function) for the public methods and properties that `cls` defines."""
    for attribute, value in vars(cls).items():
        value = getattr(value, "__func__", getattr(value, "fget", value))
        if not attribute.startswith("_") and inspect.isfunction(value):
            yield f"{name}.{attribute}", value


OBJECTS = dict(public_objects())
METHODS = {
    name: method
    for owner, thing in OBJECTS.items()
    if inspect.isclass(thing)
    for name, method in public_methods(owner, thing)
}
EXAMPLES = {
    f"{name}-{number}" if number else name: code
    for name, thing in {**OBJECTS, **METHODS}.items()
    for number, code in enumerate(examples(own_docstring(thing)))
}


def parameters_of(thing):
    """Returns the parameters that a caller may give, without `self` and `cls`."""
    function = thing.__init__ if inspect.isclass(thing) else thing
    parameters = list(inspect.signature(function).parameters.values())
    return [p for p in parameters if p.name not in ("self", "cls")]


def inherited_arguments(thing):
    """Returns the names in Args of the bases that a class extends."""
    bases = [base for base in getattr(thing, "__mro__", ())[1:] if is_ours(base)]
    return [name for base in bases for name in documented_arguments(own_docstring(base)) or ()]


def test_something_is_public():
    assert "kprob" in OBJECTS
    assert len(OBJECTS) > 10, sorted(OBJECTS)


@pytest.mark.once
@pytest.mark.parametrize("name", OBJECTS)
def test_has_a_docstring(name):
    docstring = own_docstring(OBJECTS[name])
    assert docstring.strip(), f"{name} has no docstring of its own"
    assert not unrun_examples(docstring), f"{name}: {unrun_examples(docstring)}"


@pytest.mark.once
@pytest.mark.parametrize("name", [name for name, thing in OBJECTS.items() if not isinstance(thing, types.ModuleType)])
def test_args_are_the_parameters(name):
    thing = OBJECTS[name]
    if inspect.isclass(thing) and not is_ours(inspect.unwrap(thing.__init__)):
        pytest.skip("its constructor is another package's")
    parameters, inherited = parameters_of(thing), inherited_arguments(thing)
    documented = documented_arguments(own_docstring(thing)) or []
    complaints = compare_arguments(documented, parameters, inherited)
    assert not complaints, f"{name}: " + "; ".join(complaints)


@pytest.mark.once
@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_a_docstring(name):
    owner, _, attribute = name.rpartition(".")
    overrides = any(hasattr(base, attribute) for base in OBJECTS[owner].__mro__[1:])
    assert METHODS[name].__doc__ or overrides, f"{name} has no docstring and overrides nothing"


@pytest.mark.once
@pytest.mark.parametrize("name", METHODS)
def test_args_of_methods_are_the_parameters(name):
    docstring = own_docstring(METHODS[name])
    assert not unrun_examples(docstring), f"{name}: {unrun_examples(docstring)}"
    documented = documented_arguments(docstring)
    if documented is not None:
        complaints = compare_arguments(documented, parameters_of(METHODS[name]))
        assert not complaints, f"{name}: " + "; ".join(complaints)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_example(name, EXAMPLES[name])


def run_example(name, code):
    """Runs `code` in a namespace of its own, so that a traceback shows its lines."""
    filename = f"<example of {name}>"
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    exec(compile(code, filename, "exec"), {"__name__": "test_example"})


SAMPLE = """Computes.

    Use it well.

    Args:
        x: The first; see `y`.
            note: not an argument.
        *rest: Others.
        low, high: The ends
            of it.
        scale (float): The width.

    Returns:
        z: not an argument either.

    Example:
        ```python
        if True:
            assert 1 + 1 == 2
        ```
        and
        ```python
        assert 1 + 1 == 3
        ```
    """


def test_arguments_are_read():
    assert documented_arguments(SAMPLE) == ["x", "rest", "low", "high", "scale"]
    assert documented_arguments("Args: none of these.") is None


def test_arguments_are_compared():
    def function(x, *rest, low, high, scale=1.0):
        pass

    def other(x, low, width):
        pass

    def open_to_all(x, **parameters):
        pass

    documented = documented_arguments(SAMPLE)
    assert compare_arguments(documented, parameters_of(function)) == []
    assert compare_arguments(documented, parameters_of(other)) == [
        "parameter `width` isn't in Args",
        "Args has `rest`, which is no parameter",
        "Args has `high`, which is no parameter",
        "Args has `scale`, which is no parameter",
    ]
    assert compare_arguments(documented, parameters_of(open_to_all)) == []
    assert compare_arguments([], parameters_of(open_to_all), inherited=["x"]) == []


def test_examples_are_read_and_run():
    right, wrong = examples(SAMPLE)
    run_example("right", right)
    with pytest.raises(AssertionError):
        run_example("wrong", wrong)


@pytest.mark.parametrize("text", ["Does it.\n\nExample:\n    x = 1", "Does it.\n\n>>> 1 + 1\n2"])
def test_an_example_that_would_not_run_is_found(text):
    assert unrun_examples(text)
    assert not unrun_examples("Does it.\n\nExample:\n    ```python\n    x = 1\n    ```")
