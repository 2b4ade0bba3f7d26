"""README's code runs, top to bottom, and the shapes in its comments are the shapes that come out."""

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.examples

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHAPE = re.compile(r"^(\w+) = .*#\s*([({].*[)}])$", re.MULTILINE)


def shape_of(value):
    return {name: shape_of(v) for name, v in value.items()} if isinstance(value, dict) else tuple(value.shape)


def test_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = README.read_text(encoding="utf-8")
    namespace, checked = {"__name__": "readme"}, 0
    for block in BLOCK.finditer(text):
        # Blank lines before it, so that an error points to README's own line.
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], str(README), "exec"), namespace)
        for name, shape in SHAPE.findall(block[1]):
            assert shape_of(namespace[name]) == ast.literal_eval(shape), f"{name} in README's block at line {line}"
            checked += 1
    assert checked >= 6
    assert (tmp_path / "vae.h5").exists()


def test_readme_pictures_and_links_exist():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text(encoding="utf-8"))
    missing = [link for link in links if not (README.parent / link).exists()]
    assert links and not missing
    assert (README.parent / "docs" / "vae.png").stat().st_size < 200_000
