"""From a paid reply to files: every image it holds, and whatever else was paid for, is kept."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nscale_cli.errors import (
    Billed,
    Incomplete,
    NotSaved,
    NscaleError,
    SavedElsewhere,
    UnusableReply,
)
from nscale_cli.jobs.job import Job
from nscale_cli.redact import Redactor
from nscale_cli.request import GeneratedImage, SavedImage
from nscale_cli.service.decode import InvalidItem, images_in, parse_json
from nscale_cli.service.replies import Reply, complaint_in
from nscale_cli.storage import files
from nscale_cli.storage.imaging import convert
from nscale_cli.storage.names import EXTENSIONS, Target, slug
from nscale_cli.storage.rescue import rescue


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where the images of a run go besides their own places, and who is told.

    `write_answer` writes to standard output, and raises OSError. `fetch` gets images that came as
    addresses, where they are to be fetched.
    """

    env: Mapping[str, str]
    redactor: Redactor
    write_answer: Callable[[bytes], None]
    warn: Callable[[str], None] = lambda _: None
    fetch: Callable[[str], GeneratedImage | InvalidItem] | None = None


@dataclass(slots=True, kw_only=True)
class Saver:
    """Saves the images of one job and collects what went wrong with parts of it.

    Nothing is raised: what could not be done is in `problems`.
    """

    job: Job
    store: Store
    images: list[SavedImage] = field(default_factory=list)
    problems: list[NscaleError] = field(default_factory=list)
    _reply_kept: str = ""

    def save_reply(self, reply: Reply) -> None:
        """Save every image of a reply of success; keep the reply where there is none."""
        items = images_in(parse_json(reply.body))
        for index, item in enumerate(items, start=1):
            if isinstance(item, InvalidItem) and item.url and self.store.fetch:
                item = self.store.fetch(item.url)
            if isinstance(item, InvalidItem):
                self._keep_invalid(item, index, reply)
            elif self.job.target is None:
                self._write_to_stdout(item)
            else:
                self._save(item, index, self.job.target)
        if not items:
            self._keep_unusable(reply)
        elif len(items) < self.job.request.count:
            came = f"{self.job.request.count} images were asked for, {len(items)} came"
            self._add(Incomplete(came), reply)

    def keep_incomplete(self, body: bytes | bytearray) -> str:
        """Keep the part of a reply that arrived, and return the words that say where it is."""
        return self._keep(body, "-incomplete-reply.json")

    def keep_whole(self, reply: Reply, *, because: str) -> None:
        """Keep a reply that could not be taken apart."""
        what = f"the reply could not be taken apart ({because})"
        try:
            path = self._put_reply(reply.body, f"{slug(self.job.request.prompt)}-reply.json")
        except NotSaved:
            self._add(NotSaved(f"{what}, and it could not be saved anywhere"), reply)
            return
        self._add(UnusableReply(f"{what}; it is kept at {path}", billed=Billed.YES), reply)

    def _save(self, image: GeneratedImage, index: int, target: Target) -> None:
        digest = hashlib.sha256(image.data).hexdigest()
        wanted = target.path(index=index, image_format=image.format, sha256=digest)
        # One image too many must not compete for the one name that was asked for.
        numbered = not target.exact or index > self.job.request.count
        if target.format in (None, image.format):
            self._record(image, self._put(image.data, wanted, numbered=numbered), digest)
            return
        self._save_converted(image, index, target.format, wanted, numbered=numbered)

    def _save_converted(
        self, image: GeneratedImage, index: int, image_format: str, wanted: Path, *, numbered: bool
    ) -> None:
        # What was paid for is on disk before anything tries to understand it.
        before = len(self.problems)
        original = self._put(
            image.data, wanted.with_suffix("." + EXTENSIONS[image.format]), numbered=True
        )
        with_original = len(self.problems)
        as_it_came = f"; saved as it came: {original}" if original else ""
        try:
            data = convert(image.data, image_format)
        except Incomplete as problem:
            problem.message = f"image {index}: {problem.message}{as_it_came}"
            self.problems.append(problem)
            self._record(image, original)
            return
        path = self._put(data, wanted, numbered=numbered)
        if path is None and original is not None:
            self.problems[-1] = SavedElsewhere(
                f"{wanted}: it could not be saved anywhere{as_it_came}"
            )
            self._record(image, original)
            return
        if path is not None:
            del self.problems[before:with_original]  # of a file that is of no use any more
            if original is not None:
                self._remove(original)
        self._record(GeneratedImage(data=data, format=image_format, size=image.size), path)

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            self.store.warn(f"{path}, the image before its conversion, could not be removed")

    def _put(self, data: bytes, wanted: Path, *, numbered: bool) -> Path | None:
        """Save `data` at `wanted`, else elsewhere; return None where no place took it."""
        try:
            replace = self.job.force and not numbered
            return files.save(
                data, wanted, replace=replace, numbered=numbered, warn=self.store.warn
            )
        except (OSError, MemoryError) as error:
            return self._rescue(data, wanted.name, str(wanted), error)

    def _rescue(self, data: bytes, name: str, place: str, error: Exception) -> Path | None:
        try:
            path = rescue(data, name, self.store.env, after=error)
        except NotSaved as problem:
            self.problems.append(problem)
            return None
        reason = getattr(error, "strerror", None) or "it could not be written"
        self.problems.append(SavedElsewhere(f"{place}: {reason}; the image is at {path}"))
        return path

    def _write_to_stdout(self, image: GeneratedImage) -> None:
        try:
            self.store.write_answer(image.data)
        except OSError as error:
            name = f"{slug(self.job.request.prompt)}.{EXTENSIONS[image.format]}"
            self._record(image, self._rescue(image.data, name, "standard output", error))
            return
        self.images.append(_saved(image, None))

    def _record(self, image: GeneratedImage, path: Path | None, digest: str | None = None) -> None:
        if path is not None:
            self.images.append(_saved(image, path, digest))

    def _keep_invalid(self, item: InvalidItem, index: int, reply: Reply) -> None:
        if item.data is not None:
            kept = self._keep(item.data, ".bin")
        else:
            kept = self._reply_kept = self._reply_kept or self._keep(reply.body, "-reply.json")
        self._add(Incomplete(f"image {index} is not usable: {item.reason}; {kept}"), reply)

    def _keep_unusable(self, reply: Reply) -> None:
        said = complaint_in(reply.body, self.store.redactor)
        what = f"the service sent no image: {said}" if said else "the service sent no image"
        self._add(UnusableReply(f"{what}; {self._keep(reply.body, '-reply.json')}"), reply)

    def _keep(self, data: bytes | bytearray, ending: str) -> str:
        name = slug(self.job.request.prompt) + ending
        try:
            return f"it is kept at {self._put_reply(data, name)}"
        except NotSaved:
            return "it could not be kept anywhere"

    def _put_reply(self, data: bytes | bytearray, name: str) -> Path:
        data, failure = self.store.redactor.redact_bytes(data), None
        if self.job.target is not None:
            try:
                return files.save(
                    data,
                    self.job.target.directory / name,
                    replace=False,
                    numbered=True,
                    warn=self.store.warn,
                )
            except OSError as error:
                failure = error
        return rescue(data, name, self.store.env, after=failure)

    def _add(self, problem: NscaleError, reply: Reply) -> None:
        problem.http_status, problem.request_id = reply.status, reply.request_id
        self.problems.append(problem)


def _saved(image: GeneratedImage, path: Path | None, digest: str | None = None) -> SavedImage:
    return SavedImage(
        path=path,
        format=image.format,
        size=image.size,
        byte_count=len(image.data),
        sha256=digest or hashlib.sha256(image.data).hexdigest(),
    )
