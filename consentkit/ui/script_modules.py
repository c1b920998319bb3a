"""Join the modules of the script into the one classic script that pages load.

The sources in `script/` are plain ES modules, which editors and TypeScript understand. Pages get them as one file, in which
every module follows those that it imports. The file has no comments, `import` statements and `export` keywords, and a
function around it keeps its names out of the page.

This is no bundler. Modules keep to these conventions, and `join_modules` raises ModuleError for one that does not:

* An import is `import { name, other } from "./module.js";`, or `import "./module.js";` for a module that only listens to
  events. Names are imported as they are exported.
* `export` stands only in front of a declaration, and every declaration at the top level declares one name.
* No two modules declare the same name at the top level, because the joined script is one scope.
* Modules do not import each other in a circle, and `main.js` reaches all of them.
* A comment is a line of `//` or a block of `/**`. No text in the code holds the beginning of either, or a line's end.
* Regular expressions hold no spaces and no quotation marks.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ModuleError", "join_modules"]

_ENTRY = "main.js"
_COMMENT = re.compile(r"^[ \t]*//[^\n]*\n|/\*\*.*?\*/\s*", re.MULTILINE | re.DOTALL)
_INDENTATION = re.compile(r"^\s+", re.MULTILINE)
_IMPORT = re.compile(r'^import (?:\{\s*(\w+(?:,\s*\w+)*),?\s*\} from )?"\./(\w+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|let|class|function|async function) \w)", re.MULTILINE)
_OTHER_MODULE_SYNTAX = re.compile(r"^(?:import|export)\b.*|\bimport\s*[(.].*", re.MULTILINE)
# Spaces in texts stay. Spaces around signs go, except between two of plus and minus, where `+ +` would become `++`.
_TEXT_OR_SIGNS = re.compile(
    r"""("[^"\n]*"|'[^'\n]*'|`[^`]*`)| ?([=(){}\[\],;:<>?|&!]+|(?<![+-] )[+-](?! [+-])) ?"""
)
_NEEDLESS_LINE_END = re.compile(r"(?<=[=({\[,;:>?|&])\n")
# The group of the name is empty if a declaration destructures an object or array, or declares several names.
_DECLARATION = re.compile(
    r"^(export )?(?:const|let|var|class|(?:async )?function\*?)\b *(?:(\w+)\b(?! *,)|.*)", re.MULTILINE
)


class ModuleError(ValueError):
    """A module breaks a convention that joining depends on."""


@dataclass(frozen=True, slots=True)
class _Module:
    name: str
    code: str
    imports: Mapping[str, list[str]]
    """The imported names by module."""
    declared: frozenset[str]
    exported: frozenset[str]


def join_modules(sources: Mapping[str, str]) -> str:
    """Return one classic script for the sources of all modules by file name.

    Raises:
        ModuleError: A module breaks a convention.
    """
    modules = {name: _parse(name, source) for name, source in sources.items()}
    ordered: list[_Module] = []
    _add_after_imports(_ENTRY, modules, ordered, importers=())
    if unreached := modules.keys() - {module.name for module in ordered}:
        raise ModuleError(f"{min(unreached)} is not imported by any module. Import or delete it.")
    _check_names(ordered)
    code = "".join(module.code for module in ordered)
    return f'(() => {{\n"use strict";\n{code}}})();\n'


def _parse(name: str, source: str) -> _Module:
    code = _COMMENT.sub("", source)
    declarations = list(_DECLARATION.finditer(code))
    for declaration in declarations:
        if declaration[2] is None:
            raise ModuleError(f"{name}: Expected one name in a declaration, found: {declaration[0]}")
    imports = {module: re.findall(r"\w+", names) for names, module in _IMPORT.findall(code)}
    code = _EXPORT.sub("", _IMPORT.sub("", code))
    if other := _OTHER_MODULE_SYNTAX.search(code):
        raise ModuleError(
            f'{name}: Expected import {{ name }} from "./module.js"; or export in front of a declaration, '
            f"found: {other[0]}"
        )
    return _Module(
        name,
        _tighten(code),
        imports,
        declared=frozenset(declaration[2] for declaration in declarations),
        exported=frozenset(declaration[2] for declaration in declarations if declaration[1]),
    )


def _tighten(code: str) -> str:
    """Drop the spaces and line ends that no browser needs."""
    code = _INDENTATION.sub("", code)
    code = _TEXT_OR_SIGNS.sub(lambda match: match[1] or match[2], code)
    return _NEEDLESS_LINE_END.sub("", code)


def _add_after_imports(
    name: str, modules: Mapping[str, _Module], ordered: list[_Module], *, importers: tuple[str, ...]
) -> None:
    """Append a module to the list after all that it imports; the list holds each module once."""
    if name in importers:
        circle = " imports ".join((*importers[importers.index(name) :], name))
        raise ModuleError(f"Modules import each other in a circle: {circle}.")
    if name not in modules:
        raise ModuleError(f"{' imports '.join((*importers, name))}, which does not exist.")
    module = modules[name]
    if module in ordered:
        return
    for exporter, names in module.imports.items():
        _add_after_imports(exporter, modules, ordered, importers=(*importers, name))
        if missing := set(names) - modules[exporter].exported:
            raise ModuleError(f"{name}: {exporter} does not export {min(missing)}. Export or rename it.")
    ordered.append(module)


def _check_names(modules: list[_Module]) -> None:
    declaring: dict[str, str] = {}
    for module in modules:
        for name in sorted(module.declared):
            if name in declaring:
                raise ModuleError(f"{declaring[name]} and {module.name} both declare {name}. Rename one.")
            declaring[name] = module.name
