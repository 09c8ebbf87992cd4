"""Artifacts are whole or absent, and known by their URI alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from refrain.artifacts import ArtifactStore, key_of, uri_of
from refrain.errors import ArtifactNotFound, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 8 * 1024 * 1024


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore((tmp_path / "artifacts").as_uri())


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"clip")
    return path


async def read(store: ArtifactStore, uri: str) -> bytes:
    return b"".join([chunk async for chunk in store.stream(uri)])


async def test_what_was_put_is_read_by_its_uri(
    store: ArtifactStore, clip: Path, tmp_path: Path
) -> None:
    uri = await store.put("jobs/1/clip.mp4", clip)
    assert uri == "artifact:jobs/1/clip.mp4"
    copy = await store.get(uri, tmp_path / "copy.mp4")
    assert copy.read_bytes() == b"clip"


async def test_an_artifact_is_whole_or_absent_while_it_is_put(
    store: ArtifactStore, tmp_path: Path
) -> None:
    big = tmp_path / "video.mp4"
    big.write_bytes(b"v" * SIZE)
    put = asyncio.ensure_future(store.put("video.mp4", big))
    seen: set[int] = set()
    while not put.done():
        try:
            seen.add(len(await read(store, "artifact:video.mp4")))
        except ArtifactNotFound:
            seen.add(0)
    assert len(await read(store, await put)) == SIZE
    assert seen <= {0, SIZE}


async def test_a_put_over_an_artifact_shows_the_old_or_the_new(
    store: ArtifactStore, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"o" * SIZE)
    new.write_bytes(b"n" * SIZE)
    uri = await store.put("video.mp4", old)
    put = asyncio.ensure_future(store.put("video.mp4", new))
    while not put.done():
        assert len(set(await read(store, uri))) == 1
    assert set(await read(store, await put)) == {ord("n")}


async def test_an_artifact_that_is_not_there_is_not_found(
    store: ArtifactStore, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactNotFound):
        await store.get("artifact:jobs/1/clip.mp4", tmp_path / "copy")


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "jobs/1/clip.mp4",
        "file:///etc/passwd",
        "s3://bucket/key",
        "http://127.0.0.1/clip.mp4",
        "artifact:../secret",
        "artifact:jobs/../../secret",
    ],
)
async def test_a_foreign_uri_is_not_found(store: ArtifactStore, uri: str) -> None:
    with pytest.raises(ArtifactNotFound):
        key_of(uri)
    with pytest.raises(ArtifactNotFound):
        await read(store, uri)


@pytest.mark.parametrize(
    "key", ["/secret", "%2e%2e/secret", "./secret", "a//../secret", "..%2fsecret"]
)
async def test_no_uri_leads_out_of_the_store(
    store: ArtifactStore, tmp_path: Path, key: str
) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    with pytest.raises((ArtifactNotFound, ValueError)):
        await read(store, uri_of(key))


async def nothing(_uri: str) -> bool:
    """No row names it."""
    return False


async def test_a_folder_is_deleted_with_all_it_holds_and_nothing_beside(
    store: ArtifactStore, clip: Path
) -> None:
    kept = await store.put("jobs/1/video/10/video.mp4", clip)
    gone = [await store.put(f"jobs/1/video/1/{name}", clip) for name in ("a", "b/c")]
    await store.delete_unnamed("jobs/1/video/1", nothing)
    assert await read(store, kept) == b"clip"
    for uri in gone:
        with pytest.raises(ArtifactNotFound):
            await read(store, uri)


async def test_what_a_row_names_is_not_deleted(
    store: ArtifactStore, clip: Path
) -> None:
    kept, gone = [
        await store.put(f"jobs/1/segments/1/1/{name}", clip) for name in ("a", "b")
    ]

    async def is_kept(uri: str) -> bool:
        return uri == kept

    await store.delete_unnamed("jobs/1/segments/1/1", is_kept)
    assert await read(store, kept) == b"clip"
    with pytest.raises(ArtifactNotFound):
        await read(store, gone)


async def test_a_folder_that_is_not_there_is_as_good_as_deleted(
    store: ArtifactStore,
) -> None:
    await store.delete_unnamed("jobs/1/video/1", nothing)


async def test_an_artifact_that_is_not_there_is_as_good_as_deleted(
    store: ArtifactStore,
) -> None:
    await store.delete("jobs/1/video/1/video.mp4")


async def test_a_folder_may_be_deleted_by_two_at_once(
    store: ArtifactStore, clip: Path
) -> None:
    for number in range(50):
        await store.put(f"jobs/1/video/1/{number}", clip)
    await asyncio.gather(
        *(store.delete_unnamed("jobs/1/video/1", nothing) for _ in range(4))
    )
    with pytest.raises(ArtifactNotFound):
        await read(store, "artifact:jobs/1/video/1/0")


async def test_a_store_that_is_not_there_is_unavailable() -> None:
    store = ArtifactStore(
        "s3://bucket?endpoint=http://127.0.0.1:9&region=us-east-1"
        "&access_key_id=a&secret_access_key=b&allow_http=true"
    )
    with pytest.raises(Unavailable):
        await store.delete_unnamed("jobs/1/video/1", nothing)


async def test_what_the_store_fails_to_read_may_be_asked_again(
    store: ArtifactStore, clip: Path
) -> None:
    await store.put("jobs/1", clip)
    with pytest.raises(Unavailable):
        await store.size("artifact:jobs/1/clip.mp4")
    with pytest.raises(Unavailable):
        await read(store, "artifact:jobs/1/clip.mp4")
