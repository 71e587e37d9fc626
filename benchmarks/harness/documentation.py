"""Documentation that others wrote, as Debian packages it: hundreds of HTML pages to search."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Documentation:
    """A documentation by its Debian package, and where that puts the pages."""

    package: str
    folders: tuple[str, ...]

    def copy(self, named: Path | None, to: Path) -> int:
        """Copy the pages from the folder that is named, else from the package's, and return how many there are.

        Sphinx's copies of its sources are left out. Raises: SystemExit when there are none.
        """
        found = named or next((Path(each) for each in self.folders if Path(each).is_dir()), None)
        paths = [] if found is None else [path for path in found.rglob("*.html") if "_sources" not in path.parts]
        if found is None or not paths:
            raise SystemExit(f"The pages are not there: apt install {self.package}, or name their folder.")
        for path in paths:
            target = to / path.relative_to(found)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        return len(paths)


PYTHON: Final = Documentation(
    "python3-doc", tuple(f"/usr/share/doc/python3{minor}/html" for minor in (".11", "", ".13"))
)
GIT: Final = Documentation("git-doc", ("/usr/share/doc/git-doc",))
POSTGRESQL: Final = Documentation(
    "postgresql-doc", tuple(f"/usr/share/doc/postgresql-doc-{major}/html" for major in (15, 16, 17, 18))
)
