"""Build what a release consists of: `python -m tools.dist DIRECTORY`.

It writes the sdist, the wheel, and a bill of materials in CycloneDX's JSON format: what the library needs at run time,
as locked in `requirements/runtime.txt`. The files depend on nothing but the sources, so that anybody can build the
same bytes and compare them.
"""

import hashlib
import os
import sys
import tomllib
import uuid
import zipfile
from collections.abc import Iterable
from contextlib import chdir
from email.message import Message
from email.parser import Parser
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from hatchling.build import build_sdist, build_wheel
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import locks

ROOT = Path(__file__).parent.parent
SCHEMA = SchemaVersion.V1_6
# The date that hatchling writes into archives where nothing else is set: other build tools give the same bytes.
WRITTEN = "1580601600"


def build(directory: Path) -> list[Path]:
    """Write sdist, wheel and bill of materials into a directory, and return their paths."""
    os.environ["SOURCE_DATE_EPOCH"] = WRITTEN
    with chdir(ROOT):
        sdist = directory / build_sdist(str(directory))
        wheel = directory / build_wheel(str(directory))
    bill = directory / f"{sdist.name.removesuffix('.tar.gz')}.cdx.json"
    pins = locks.read((ROOT / "requirements/runtime.txt").read_text("utf-8"))
    required = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    bill.write_text(bill_of_materials(_metadata(wheel), pins, required), "utf-8")
    return [sdist, wheel, bill]


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def bill_of_materials(metadata: Message, pins: list[locks.Pin], required: Iterable[str]) -> str:
    """Return the bill of materials as JSON.

    A package that only an extra needs has the scope `optional`. The hashes of a package are those of all files of its
    release, of which one is installed.
    """
    library = Component(
        name=metadata["Name"],
        version=metadata["Version"],
        description=metadata["Summary"],
        type=ComponentType.LIBRARY,
        bom_ref=metadata["Name"],
        licenses=[DisjunctiveLicense(id=metadata["License-Expression"])],
        purl=PackageURL("pypi", name=metadata["Name"], version=metadata["Version"]),
    )
    needed = _closure({canonicalize_name(Requirement(one).name) for one in required}, pins)
    # A package may be locked in several versions, for one Python each.
    components = [(pin, _component(pin, needed)) for pin in pins]
    bill = Bom(components=[component for _, component in components])
    bill.metadata.component = library
    # A time or a random number would make every build another one.
    bill.metadata.timestamp = None
    bill.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, "\n".join([str(library.purl), *map(repr, pins)]))
    for name, component in [
        (library.name, library),
        *((pin.name, component) for pin, component in components),
    ]:
        bill.register_dependency(component, [each for pin, each in components if name in pin.via])
    return make_outputter(bill, OutputFormat.JSON, SCHEMA).output_as_string(indent=2) + "\n"


def _closure(names: set[str], pins: list[locks.Pin]) -> set[str]:
    """Return the names of packages together with those of all that they require."""
    more = {pin.name for pin in pins if names.intersection(pin.via)}
    return names if more <= names else _closure(names | more, pins)


def _component(pin: locks.Pin, needed: set[str]) -> Component:
    return Component(
        name=pin.name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{pin.name}=={pin.version}",
        scope=ComponentScope.REQUIRED if pin.name in needed else ComponentScope.OPTIONAL,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in pin.hashes],
        purl=PackageURL("pypi", name=pin.name, version=pin.version),
        properties=[Property(name="consentkit:marker", value=pin.marker)] if pin.marker else [],
    )


def main() -> None:
    """Build into the directory that is named on the command line, and print the digest of each file."""
    for path in build(Path(sys.argv[1]).absolute()):
        print(hashlib.sha256(path.read_bytes()).hexdigest(), path.name, sep="  ")


if __name__ == "__main__":
    main()
