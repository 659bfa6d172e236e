"""What the lanes of this project declare of themselves, read from their source text: no framework is imported.

A lane's tier and traits are class attributes. This reads them from the syntax tree of the class, or of the class
that it is derived from. Lanes from outside are not read: their packages would have to be imported to find them.
"""

from __future__ import annotations

import ast
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from samestep import backends
from samestep.backends.interface import Traits

OURS = backends.__name__  # the package of the lanes that are read


@cache
def declared_lanes() -> dict[str, dict[str, Any]]:
    """By lane: framework, tier, gradient, buffers, compiled and products, as an arm of a record has them."""
    lanes = {}
    for lane, place in backends.places().items():
        package, _, module = place.module.rpartition(".")
        if package == OURS:
            attributes = _attributes(module, place.attr)
            attributes.pop("compiled_elsewhere", None)
            traits = asdict(Traits(**attributes.pop("traits")))
            traits["products"] = traits.pop("matmul_precision")  # its name in records
            lanes[lane] = attributes | traits
    return lanes


@cache
def compiled_elsewhere(lane: str) -> str | None:
    """What a lane declares to compile on other devices and with other versions of its framework, if it does."""
    place = backends.places()[lane]
    module = place.module.rpartition(".")[2]
    text: str | None = _attributes(module, place.attr).get("compiled_elsewhere")
    return text


def _attributes(module: str, name: str) -> dict[str, Any]:
    """The declared attributes of a class and of those above it, its own first."""
    found, classes = dict[str, Any](), _classes(module)
    if name not in classes:
        origin = _origins(module).get(name)
        return _attributes(origin, name) if origin else found
    for base in classes[name].bases:
        found |= _attributes(module, _name(base))
    for statement in classes[name].body:
        target, value = _assignment(statement)
        if target in ("framework", "tier", "compiled_elsewhere"):
            found[target] = ast.literal_eval(value)
        elif target == "traits" and isinstance(value, ast.Call):
            found[target] = {word.arg: ast.literal_eval(word.value) for word in value.keywords}
    return found


def _assignment(statement: ast.stmt) -> tuple[str, Any]:
    """The name and the value of an assignment with or without a type, "" for anything else."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
        return statement.target.id, statement.value
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, statement.value
    return "", None


def _name(base: ast.expr) -> str:
    """The name of a class in a list of bases: JaxLane in JaxLane[StateT], too."""
    node = base.value if isinstance(base, ast.Subscript) else base
    return node.id if isinstance(node, ast.Name) else ""


@cache
def _classes(module: str) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in _tree(module).body if isinstance(node, ast.ClassDef)}


@cache
def _origins(module: str) -> dict[str, str]:
    """The module of this package that each imported name comes from."""
    imports = [node for node in _tree(module).body if isinstance(node, ast.ImportFrom) and node.level == 1]
    return {name.asname or name.name: node.module for node in imports if node.module for name in node.names}


@cache
def _tree(module: str) -> ast.Module:
    (folder,) = backends.__path__
    return ast.parse(Path(folder, f"{module}.py").read_text(encoding="utf-8"))
