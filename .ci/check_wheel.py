"""Check that a wheel holds the whole package, its type marker, licence and command, and nothing else."""

import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parent.parent


def main(wheel: Path) -> int:
    """Print what is wrong with the wheel; return 1 if anything is."""
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = [archive.read(name).decode() for name in names if name.endswith("/entry_points.txt")]
    package = ROOT / "tabular_automl"
    expected = {path.relative_to(ROOT).as_posix() for path in package.rglob("*.py")}
    expected.add("tabular_automl/py.typed")
    info = {name for name in names if ".dist-info/" in name}
    problems = [
        *(f"missing from the wheel: {name}" for name in sorted(expected - names)),
        *(f"does not belong in the wheel: {name}" for name in sorted(names - info - expected)),
    ]
    if not any(name.endswith("/licenses/LICENSE") for name in info):
        problems.append("the licence is missing from the wheel")
    if not any("tabular-automl = tabular_automl.cli:main" in text for text in entry_points):
        problems.append("the command tabular-automl is missing from the wheel")
    print("\n".join(problems) or f"{wheel.name}: all {len(expected)} files of the package are in")
    return int(len(problems) > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
