"""The rules of kprob's architecture: the order of imports, the doors to other packages, the sizes.

A rule takes the parsed modules of a package and returns its complaints; `RULES` lists them all.
"""

import ast
import graphlib
from dataclasses import dataclass
from pathlib import Path

# From the ground up. A part imports only parts on lines above its own; parts on one line don't
# import each other; inside a part anything goes but a cycle; `kprob/__init__` imports everything.
ORDER = (
    ("types",),
    ("errors", "numerics"),
    ("namespaces", "delegation"),
    ("checks",),
    ("options",),
    ("backend",),
    ("saving", "diagnostics", "data"),
    ("distributions",),
    ("effects",),
    ("handlers", "layers", "objectives"),
    ("guides",),
    ("engine",),
    ("density", "inspection"),
    ("training",),
    ("optimizers", "samplers", "plots"),
    ("queries",),
    ("evaluation", "filtering"),
    ("inference",),
    ("models",),
    ("callbacks",),
)
LEVEL = {part: level for level, parts in enumerate(ORDER) for part in parts}

# The one part that may name these packages.
DOORS = {
    "tensorflow": "backend",
    "tensorflow_probability": "backend",
    "tf_keras": "backend",
    "jax": "backend",
    "jaxlib": "backend",
    "matplotlib": "plots",
    "graphviz": "plots",
}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Import:
    """An imported name, its line, and what it hides in (a function, TYPE_CHECKING)."""

    target: str
    line: int
    inside: str


@dataclass(frozen=True)
class Module:
    """A parsed file. Its part is the first name below the package: effects, models, ..."""

    name: str
    path: Path
    lines: int
    tree: ast.Module
    imports: tuple[Import, ...]

    @property
    def package(self):
        return self.name.split(".")[0]

    @property
    def part(self):
        return part_of(self.name)

    def at(self, line):
        return f"{self.path.relative_to(self.root.parent)}:{line}"

    @property
    def root(self):
        return next(folder for folder in self.path.parents if folder.name == self.package)


def part_of(name):
    """Returns the part that a dotted name is in, '' for the package itself."""
    return name.split(".")[1] if "." in name else ""


def read_package(folder):
    """Parses every module below `folder`. Returns dotted names and `Module`s."""
    names = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    modules = {}
    for name, path in names.items():
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source, str(path))
        home = name if path.name == "__init__.py" else name.rpartition(".")[0]
        imports = tuple(find_imports(tree, home, names))
        modules[name] = Module(name, path, len(source.splitlines()), tree, imports)
    return modules


def find_imports(node, home, names, inside=""):
    """Yields every import under `node`, also the ones by `importlib.import_module("...")`.

    Args:
        node: The syntax tree.
        home: The dotted package that relative imports start from.
        names: The package's own modules: `from kprob import checks` means the module if it is one.
        inside: What `node` is in, for the rule against hidden imports.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, inside)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                above = home.split(".")[: len(home.split(".")) - child.level + 1]
                base = ".".join([*above, base]).rstrip(".")
            full = [f"{base}.{alias.name}" for alias in child.names]
            for target in dict.fromkeys(name if name in names else base for name in full):
                yield Import(target, child.lineno, inside)
        elif isinstance(child, ast.Call) and imported_by_call(child):
            yield Import(imported_by_call(child), child.lineno, inside)
        hidden = inside
        if isinstance(child, (*FUNCTIONS, ast.Lambda)):
            hidden = f"function {getattr(child, 'name', 'lambda')}"
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            hidden = "TYPE_CHECKING"
        yield from find_imports(child, home, names, hidden)


def imported_by_call(call):
    """Returns the package that `import_module("...")` and its like name, or None."""
    function = ast.unparse(call.func).rpartition(".")[2]
    if function not in ("import_module", "__import__", "find_spec") or not call.args:
        return None
    return call.args[0].value if isinstance(call.args[0], ast.Constant) else None


def own_imports(modules):
    """Yields (module, import) for the imports that stay in the package."""
    for module in modules.values():
        for found in module.imports:
            if found.target.split(".")[0] == module.package:
                yield module, found


def order_of_imports(modules):
    """A module imports only from parts below its own."""
    parts = {module.part for module in modules.values()} - {""}
    complaints = [
        f"`{part}` is no part of the order of imports. Move it into one of {sorted(LEVEL)}, or give"
        " it its place: in ORDER here and in the map that kprob/__init__.py opens with."
        for part in sorted(parts - set(LEVEL))
    ]
    for module, found in own_imports(modules):
        mine, theirs = module.part, part_of(found.target)
        if mine not in LEVEL or mine == theirs or (theirs and theirs not in LEVEL):
            continue
        if not theirs:
            complaints.append(
                f"{module.at(found.line)} imports from `{module.package}` itself, which imports"
                " everything. Name the module that the thing is defined in."
            )
        elif LEVEL[theirs] >= LEVEL[mine]:
            how = "its sibling" if LEVEL[theirs] == LEVEL[mine] else "a part above it"
            below = sorted(part for part in LEVEL if LEVEL[part] < LEVEL[mine])
            complaints.append(
                f"{module.at(found.line)}: `{mine}` imports `{found.target}`, {how}; it may import"
                f" {below or 'no other part'}. Move what both need further down, or pass it as an"
                " argument."
            )
    return complaints


def no_cycles(modules):
    """Modules don't import each other in a circle."""
    graph = {name: set() for name in modules}
    for module, found in own_imports(modules):
        if found.target in modules and found.target != module.name:
            graph[module.name].add(found.target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = " is imported by ".join(error.args[1])
        return [f"A circle: {circle}. Import from the module that defines the name, not its package."]
    return []


def one_door(modules):
    """Only one part names TensorFlow and JAX, only one matplotlib and graphviz."""
    return [
        f"{module.at(found.line)} imports `{found.target}`: only `{module.package}/{door}` may."
        f" Use keras.ops or what {module.package}.{door} offers, or add there what is missing."
        for module in modules.values()
        for found in module.imports
        if (door := DOORS.get(found.target.split(".")[0])) not in (None, module.part)
    ]


def imports_at_the_top(modules):
    """No import between the package's own modules hides in a function or under TYPE_CHECKING."""
    return [
        f"{module.at(found.line)} imports `{found.target}` inside {found.inside}. Move it to the"
        " top of the file; if that makes a circle, something stands in the wrong part."
        for module, found in own_imports(modules)
        if found.inside
    ]


def sizes(modules):
    """Files and functions stay small."""
    complaints = []
    for module in modules.values():
        if module.lines > MAX_FILE_LINES:
            complaints.append(
                f"{module.at(1)} has {module.lines} lines; at most {MAX_FILE_LINES}. Split it by concept."
            )
        for node in ast.walk(module.tree):
            if isinstance(node, FUNCTIONS) and function_lines(node) > MAX_FUNCTION_LINES:
                complaints.append(
                    f"{module.at(node.lineno)}: `{node.name}` has {function_lines(node)} lines,"
                    f" docstring apart; at most {MAX_FUNCTION_LINES}. Split it into named steps."
                )
    return complaints


def function_lines(node):
    """Counts a function's lines without its docstring."""
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node, clean=False) is not None:
        lines -= node.body[0].end_lineno - node.body[0].lineno + 1
    return lines


def inits_only_export(modules):
    """An `__init__` defines nothing of its own and lists what it exports."""
    complaints = []
    for module in modules.values():
        if module.path.name != "__init__.py":
            continue
        for node in module.tree.body:
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
                complaints.append(
                    f"{module.at(node.lineno)} defines `{node.name}`. An __init__ only re-exports:"
                    " put it in a module of its own."
                )
        if own := [found for found in module.imports if found.target.startswith(module.name)]:
            if not defines_all(module):
                complaints.append(f"{module.at(own[0].line)} imports names without listing them. Add `__all__`.")
    return complaints


def defines_all(module):
    """True where the module's top level assigns `__all__`."""
    return any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__" for node in module.tree.body)


def no_hidden_state(modules):
    """No state hides in an object's `__dict__` under a key: it has a typed attribute."""
    complaints = []
    for module in modules.values():
        for node in ast.walk(module.tree):
            keyed = node.value if isinstance(node, ast.Subscript | ast.Attribute) else None
            on_vars = isinstance(keyed, ast.Call) and ast.unparse(keyed.func) == "vars" and not is_iteration(node)
            if on_vars or (isinstance(node, ast.Attribute) and node.attr == "__dict__"):
                complaints.append(
                    f"{module.at(node.lineno)}: `{ast.unparse(node)}` hides state under a key. Give the class an"
                    " attribute; what Keras must not track goes into one slotted dataclass."
                )
    return complaints


def is_iteration(node):
    """True for `vars(x).items()` and the like, which read all attributes alike."""
    return isinstance(node, ast.Attribute) and node.attr in ("items", "keys", "values")


def unique_class_names(modules):
    """A class name stands for one thing: in its namespace where it's public, in all of the package where it's private."""
    homes = {}
    for module in modules.values():
        backend = module.part == "backend"  # whose folders are twins
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                where = module.name if backend else "" if node.name.startswith("_") else module.part
                homes.setdefault((where, node.name), []).append(module.at(node.lineno))
    return [
        f"The class name `{name}` stands in {places[0]} and in {places[1]}. Name each after what it is."
        for (_, name), places in sorted(homes.items())
        if len(places) > 1
    ]


RULES = (
    order_of_imports,
    no_cycles,
    one_door,
    imports_at_the_top,
    sizes,
    inits_only_export,
    no_hidden_state,
    unique_class_names,
)
