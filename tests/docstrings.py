"""Reading docstrings: what they say of arguments, and the code of their examples."""

import inspect
import re
import textwrap

# A line that begins the text of one argument, or of several that share it: `low, high (float): ...`
ENTRY = re.compile(r"(\*{0,2}\w+(?:\s*[,/]\s*\*{0,2}\w+)*)\s*(?:\([^)]*\))?:(?:\s|$)")
FENCE = re.compile(r"^(?P<indent> *)```python\n(?P<code>.*?)^(?P=indent)```", re.DOTALL | re.MULTILINE)
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def documented_arguments(docstring):
    """Returns the names in a docstring's `Args:` (a record's `Attributes:`), or None."""
    section = find_section(docstring, "Args") or find_section(docstring, "Attributes")
    if section is None:
        return None
    found = []
    for line in section:
        if line[:1].strip() and (entry := ENTRY.match(line)):
            found += [name.strip(" *") for name in re.split("[,/]", entry[1])]
    return found


def find_section(docstring, header):
    """Returns the dedented lines below a header, or None where there is no such header."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    if f"{header}:" not in lines:
        return None
    body = []
    for line in lines[lines.index(f"{header}:") + 1 :]:
        if line[:1].strip():
            break
        body.append(line)
    return textwrap.dedent("\n".join(body)).splitlines()


def compare_arguments(documented, parameters, inherited=()):
    """Compares names in `Args:` with a signature's parameters. Returns complaints.

    `*args` and `**kwargs` needn't be documented; a function that takes `**kwargs` may document the
    names that they stand for. A parameter may also be among the `inherited` names, which a base
    class documents.
    """
    named = [p.name for p in parameters if p.kind not in VARIADIC]
    variadic = [p.name for p in parameters if p.kind in VARIADIC]
    takes_any_name = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    missing = [name for name in named if name not in (*documented, *inherited)]
    unknown = [name for name in documented if name not in named + variadic]
    complaints = [f"parameter `{name}` isn't in Args" for name in missing]
    if not takes_any_name:
        complaints += [f"Args has `{name}`, which is no parameter" for name in unknown]
    return complaints


def examples(docstring):
    """Returns the code of every ```python block."""
    found = FENCE.finditer(inspect.cleandoc(docstring or "") + "\n")
    return [textwrap.dedent(match["code"]) for match in found]


def unrun_examples(docstring):
    """Returns complaints about examples that no test would run."""
    complaints = []
    for header in ("Example", "Examples"):
        section = find_section(docstring, header)
        if section is not None and not examples("\n".join(section)):
            complaints.append(f"{header}: has no ```python block, so nothing runs it")
    if re.search(r"^\s*>>> ", docstring or "", re.MULTILINE):
        complaints.append("`>>>` isn't run; write a ```python block with assert")
    return complaints
