"""Measure what an install weighs: `python tests/benchmarks/install_size.py [REQUIREMENT ...]`.

Without arguments the base install of this repository is measured; with arguments whatever they name, such
as `install_size.py xgboost` against `install_size.py xgboost-cpu`. Sizes are sums of file sizes in MB
(10^6 bytes) in the site-packages of a fresh virtual environment; compiled bytecode, pip and setuptools are
included.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
LARGEST = 12


def folder_size(folder: Path) -> int:
    if folder.is_file():
        return folder.stat().st_size
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def main(requirements: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        purelib = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        sizes = {entry.name: folder_size(entry) / 1e6 for entry in Path(purelib).iterdir()}
    print(f"{sum(sizes.values()):8.1f} MB in all")
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:LARGEST]:
        print(f"{size:8.1f} MB {name}")


if __name__ == "__main__":
    main(sys.argv[1:] or [str(ROOT)])
