"""The programs of docs/ run, and its maps name what there is."""

import re
from pathlib import Path

import pytest
from architecture import ORDER

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_how_to_extend(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    namespace, blocks = {"__name__": "extending"}, list(BLOCK.finditer(text))
    for block in blocks:
        # Blank lines before it, so that an error points to the page's own line.
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], "docs/extending.md", "exec"), namespace)
    assert len(blocks) == 8


@pytest.mark.once
def test_the_map_has_all_rooms():
    rooms = (
        (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## The map")[2].partition("\n## ")[0]
    )
    named = {name.rstrip("/") for name in re.findall(r"`(\w+/?)`", rooms)}
    missing = {part for parts in ORDER for part in parts} - named - {"handlers", "optimizers"}
    assert not missing


@pytest.mark.once
def test_what_the_map_names_is_there():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    files = set(re.findall(r"`(\w+(?:/\w+)*\.py)`", text.partition("## Where is")[2]))
    assert files and not {file for file in files if not (ROOT / "kprob" / file).exists()}
