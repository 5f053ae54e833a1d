"""How tables appear: whole or not at all, several together, also when the process is killed.

A table is ``tables/NAME/VERSION/*.parquet`` and a file CURRENT that names the version. Work is staged under
``.staged/RUN_ID``. Publishing renames the staged versions into place, unseen, and then writes ``journal.json`` by
rename: that is the moment of truth. What follows (files moved, every CURRENT and the run's record written, the journal
removed) only repeats what the journal says, so anyone may finish it after a crash; readers follow the journal
where it stands.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from danggol.errors import DataError, UsageError

SPILL = "spill"
"""The folder of ``.staged`` to which queries spill."""

STAGES = ("staged", "versions moved", "journal written", "files moved", "current written", "recorded")
"""The points of a publication, in order; tests stop a process at each."""


def _pass(stage: str) -> None:
    """Do nothing at a stage; tests put something that kills the process in its place."""


_on_stage: Callable[[str], None] = _pass


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: beside, flushed to disk, then renamed into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("w", encoding="utf8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@dataclass(frozen=True)
class Versions:
    """The versions of the tables of the shop at ``root``."""

    root: Path

    @property
    def tables(self) -> Path:
        """The folder of tables."""
        return self.root / "tables"

    @property
    def journal(self) -> Path:
        """The file that says what is being published."""
        return self.root / "journal.json"

    def staging(self, run_id: str) -> Path:
        """The folder where a run prepares what it will publish."""
        return self.root / ".staged" / run_id

    def current(self) -> dict[str, str]:
        """Every table that exists and its version, read as of one moment."""
        before = self._read_current()
        while True:
            again = self._read_current()
            if again == before:
                return again
            before = again

    def published(self) -> dict[str, str]:
        """Every table and the version its CURRENT names, whatever is being published meanwhile."""
        found: dict[str, str] = {}
        if self.tables.is_dir():
            for folder in sorted(self.tables.iterdir()):
                try:
                    found[folder.name] = (folder / "CURRENT").read_text("utf8", errors="replace").strip()
                except (FileNotFoundError, NotADirectoryError):
                    continue
        return found

    def _read_current(self) -> dict[str, str]:
        pending = self._read_journal()
        found = self.published()
        if pending:
            found |= pending["tables"]
            for name in pending["dropped"]:
                found.pop(name, None)
        return found

    def _read_journal(self) -> dict[str, Any] | None:
        try:
            journal: dict[str, Any] = json.loads(self.journal.read_text("utf8"))
            whole = journal.keys() >= {"run_id", "tables", "dropped", "record"}
        except FileNotFoundError:
            return None
        except (ValueError, AttributeError):
            whole = False
        if not whole:
            raise DataError(f"{self.journal} is damaged; move it away and run 'danggol check {self.root}'")
        return journal

    def decided(self, run_id: str) -> bool:
        """Whether a run's publication has been decided, so that it will be finished, now or by the next writer."""
        journal = self._read_journal()
        return journal is not None and journal["run_id"] == run_id

    def files(self, name: str, version: str) -> list[Path]:
        """The Parquet files of one version, in order."""
        folder = self.tables / name / version
        if not re.fullmatch(r"v\d+", version):
            raise DataError(f"{self.tables / name / 'CURRENT'} is damaged: it names no version; write the table again")
        if not folder.is_dir():
            raise DataError(
                f"table '{name}' should be in {folder}, which is not there; restore it, or write the table again"
            )
        return sorted(folder.glob("*.parquet"))

    def next(self, name: str) -> str:
        """A version name that no version of the table has."""
        folder = self.tables / name
        taken = [int(p.name[1:]) for p in folder.glob("v*") if p.name[1:].isdigit()] if folder.is_dir() else []
        return f"v{max(taken, default=0) + 1:06d}"

    def publish(
        self,
        run_id: str,
        staged: Mapping[str, str],
        record: Mapping[str, Any],
        *,
        dropped: Iterable[str] = (),
        purged: Iterable[str] = (),
        removed: Iterable[str] = (),
    ) -> None:
        """Make the staged versions (table to version) of a run current, together; ``record`` goes to the manifest.

        ``dropped`` tables go away, the old versions of ``purged`` ones are deleted, and so are the ``removed`` files.
        """
        staging = self.staging(run_id)
        _flush(staging)
        _on_stage("staged")
        for name, version in staged.items():
            (self.tables / name).mkdir(parents=True, exist_ok=True)
            (staging / "tables" / name).replace(self.tables / name / version)
        _on_stage("versions moved")
        journal = {"run_id": run_id, "tables": dict(staged), "dropped": list(dropped), "record": dict(record)}
        journal |= {"purged": list(purged), "removed": list(removed)}
        write_text(self.journal, json.dumps(journal, ensure_ascii=False))
        _on_stage("journal written")
        self.finish()

    def finish(self) -> None:
        """Finish the publication that the journal describes, if there is one; safe to repeat."""
        journal = self._read_journal()
        if journal is None:
            return
        staging = self.staging(journal["run_id"])
        files = staging / "files"
        if files.is_dir():
            for path in sorted(p for p in files.rglob("*") if p.is_file()):
                target = self.root / path.relative_to(files)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
        _on_stage("files moved")
        for name, version in journal["tables"].items():
            write_text(self.tables / name / "CURRENT", version + "\n")
        for name in journal["dropped"]:
            (self.tables / name / "CURRENT").unlink(missing_ok=True)
        _on_stage("current written")
        for name in journal.get("purged", ()):
            self._delete_old(name)
        for relative in journal.get("removed", ()):
            (self.root / relative).unlink(missing_ok=True)
        write_text(self.root / "runs" / f"{journal['run_id']}.json", json.dumps(journal["record"], ensure_ascii=False))
        _on_stage("recorded")
        self.journal.unlink(missing_ok=True)
        shutil.rmtree(staging, ignore_errors=True)

    def recover(self) -> None:
        """Finish what a killed writer had decided and sweep away what it had not; the writers' lock must be held."""
        self.finish()
        staged = self.root / ".staged"
        for folder in staged.iterdir() if staged.is_dir() else ():
            if folder.name != SPILL:  # where queries under way, of readers too, keep what memory does not hold
                shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> tuple[int, int]:
        """Delete every version that is not current; how many versions and bytes went. The lock must be held."""
        shutil.rmtree(self.root / ".staged" / SPILL, ignore_errors=True)
        swept = [self._delete_old(path.name) for path in sorted(self.tables.glob("*")) if path.is_dir()]
        return sum(versions for versions, _ in swept), sum(size for _, size in swept)

    def _delete_old(self, name: str) -> tuple[int, int]:
        """Delete a table's versions that are not current; how many versions and bytes went."""
        current, versions, size = self.published().get(name), 0, 0
        for version in sorted((self.tables / name).glob("v*")):
            if version.is_dir() and version.name != current:
                size += sum(path.stat().st_size for path in version.iterdir() if path.stat().st_nlink == 1)
                shutil.rmtree(version)
                versions += 1
        return versions, size

    def settle(self) -> None:
        """Finish what a killed writer had decided, so that tables and files agree; leave a live writer be."""
        if self.journal.exists():
            with suppress(OSError, Timeout, DataError), FileLock(self.root / ".lock").acquire(timeout=0):
                self.finish()

    @contextmanager
    def locked(self, verb: str, wait_s: float) -> Iterator[None]:
        """Hold the writers' lock; UsageError that names the holder where it is not free in ``wait_s`` seconds."""
        with self._lock(wait_s):
            holder = {"verb": verb, "process": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
            try:
                write_text(self.root / ".lock-holder.json", json.dumps(holder))
                self.recover()
            except OSError as error:
                raise self._unwritable(error) from error
            try:
                yield
            finally:
                (self.root / ".lock-holder.json").unlink(missing_ok=True)

    def _lock(self, wait_s: float) -> AbstractContextManager[FileLock]:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            return FileLock(self.root / ".lock").acquire(timeout=wait_s)
        except Timeout as error:
            raise UsageError(
                f"the shop {self.root} is being written by {self._holder()}; try again when it is done"
            ) from error
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UsageError:
        return UsageError(
            f"the shop {self.root} cannot be written: {error.strerror or error} ({error.filename or self.root}); "
            "see to the folder's permissions and free space"
        )

    def _holder(self) -> str:
        try:
            holder = json.loads((self.root / ".lock-holder.json").read_text("utf8"))
            return f"'{holder['verb']}' (process {holder['process']}, since {holder['since']})"
        except (OSError, ValueError, KeyError):
            return "another process"


def _flush(folder: Path) -> None:
    """See that what is staged has reached the disk."""
    for path in folder.glob("tables/*/*.parquet"):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    if (folder / "files").is_dir() and hasattr(os, "sync"):
        os.sync()
