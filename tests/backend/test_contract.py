"""Both backends offer exactly what the contract says: the same names with the same parameters.

Only one backend can be imported, so both are read by their syntax trees.
"""

import ast
from pathlib import Path

import pytest

import kprob

pytestmark = pytest.mark.once

BACKEND = Path(kprob.__file__).parent / "backend"
MODULES = {
    "operations": "Operations",
    "random": "RandomNumbers",
    "data": "Datasets",
    "training": "TrainingPrograms",
}


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def protocol(name):
    """Returns the class of the contract by this name."""
    return next(
        node for node in parse(BACKEND / "contract.py").body if isinstance(node, ast.ClassDef) and node.name == name
    )


def parameters(function, method=False):
    """Returns a function's parameters with their kinds and defaults, and without their types."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args][1 if method else 0 :]
    defaults = [ast.unparse(default) for default in arguments.defaults]
    return {
        "positional": [argument.arg for argument in positional],
        "defaults": defaults,
        "variadic": arguments.vararg and arguments.vararg.arg,
        "keywords": [argument.arg for argument in arguments.kwonlyargs]
        + [ast.unparse(d) for d in arguments.kw_defaults if d],
    }


def offered(backend, module):
    """Returns the public functions of a backend's module, and the names of all that it defines or imports."""
    body = parse(BACKEND / backend / f"{module}.py").body
    functions = {
        node.name: node for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    assigned = {ast.unparse(target) for node in body if isinstance(node, ast.Assign) for target in node.targets}
    annotated = {ast.unparse(node.target) for node in body if isinstance(node, ast.AnnAssign)}
    imported = {
        alias.asname or alias.name
        for node in body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return functions, assigned | annotated | imported


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_backend_keeps_the_contract(backend, module):
    contract = protocol(MODULES[module])
    members = [node for node in contract.body if isinstance(node, ast.FunctionDef)]
    constants = {node.name for node in members if node.decorator_list}  # properties
    methods = {node.name: node for node in members if node.name not in constants}
    functions, names = offered(backend, module)
    assert set(functions) == set(methods), f"kprob/backend/{backend}/{module}.py beside {contract.name}"
    assert constants <= names
    for name, method in methods.items():
        assert parameters(functions[name]) == parameters(method, method=True), name


@pytest.mark.parametrize("module", MODULES)
def test_the_contract_says_what_each_function_does(module):
    for node in protocol(MODULES[module]).body:
        if isinstance(node, ast.FunctionDef):
            assert ast.get_docstring(node), node.name


@pytest.mark.parametrize("module", [name for name in MODULES if name != "training"])
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_docstrings_are_written_once(backend, module):
    functions, _ = offered(backend, module)
    repeated = [name for name, function in functions.items() if ast.get_docstring(function)]
    assert not repeated, f"kprob/backend/contract.py says what these do: {repeated}"


def test_a_backend_has_no_other_modules():
    for backend in ("tensorflow", "jax"):
        assert {path.stem for path in (BACKEND / backend).glob("*.py")} == {"__init__", *MODULES}
