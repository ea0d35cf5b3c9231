"""From a paid reply to files: every image it holds, and whatever else was paid for, is kept."""

import threading
from collections.abc import Callable, Iterable, Iterator

from nscale_cli.errors import (
    Billed,
    Incomplete,
    NotSaved,
    NscaleError,
    ServiceFailed,
    UnusableReply,
)
from nscale_cli.jobs.arriving import ArrivingImages
from nscale_cli.jobs.job import Collected, Job
from nscale_cli.jobs.save import NOT_KEPT, Outcome, Store, keep
from nscale_cli.request import SavedImage
from nscale_cli.service.content_encodings import ContentDecoder
from nscale_cli.service.decode import decode_item
from nscale_cli.service.replies import MAX_COMPLAINT_BYTES, Reply, complaint_in
from nscale_cli.service.reply_stream import MAX_TEXT_BYTES, ReplyStream, too_large
from nscale_cli.service.reply_text import HANDED_ON

MAX_SURPLUS_ITEMS = 16  # beyond those that were asked for; what more comes is kept as one file
_ADDRESS_HINT = (
    "the kept reply has the address; next time, --param response_format=b64_json asks for the "
    "image itself, and fetch_urls = true in a profile fetches it"
)
_MAX_SAID = 20  # items of one reply that are no images
_MAX_TRIES = 3
_MAX_EXPLAINED_BYTES = 1024 * 1024
_MAX_WAIT_SECONDS = 2.0  # for a disk that stands still, of somebody who gives the reply up


class ReplySink:
    """Takes a reply of success as it arrives, and puts each image on the disk once it is whole.

    `begin`, `feed` and `finish` are for whoever reads the reply; then `collected` or, where it
    broke off, `abort`. A short reply may be an error, so it is looked into only by those last
    two. `again`: an earlier attempt at the job may have left images under its names.
    """

    def __init__(self, job: Job, store: Store, *, again: bool = False) -> None:
        self._job, self._store = job, store
        self._images = ArrivingImages(job, store, again=again)
        limit = job.request.count + MAX_SURPLUS_ITEMS
        self._stream = ReplyStream(self._images, max_items=limit)
        self._lock = threading.Lock()
        self._reply = Reply(status=0, body=b"")
        self._decoder = ContentDecoder("")
        self._packed = bytearray()  # the reply as it came, where a content coding is to be undone
        self._start: bytearray | None = bytearray()  # of a reply that may be an error
        self._failure: Exception | None = None  # with which the stream could not go on
        self._read_count: int | None = None  # how many bytes came until then
        self._unread: list[bytes] = []  # what came from then on
        self._over = False
        self._kept, self._kept_count = "", -1

    @property
    def images(self) -> tuple[SavedImage, ...]:
        """What is on the disk so far."""
        return self._images.saved

    @property
    def byte_count(self) -> int:
        """How much has come, without content codings."""
        unread = sum(map(len, self._unread))
        return self._stream.byte_count + len(self._start or b"") + unread

    def begin(self, reply: Reply, content_encodings: str = "") -> None:
        """Take the status and the headers."""
        self._reply, self._decoder = reply, ContentDecoder(content_encodings)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes off the wire; raise ServiceFailed where they are too many."""
        with self._lock:
            if self._over:
                raise ServiceFailed("the reply is not waited for any more")
            if self._decoder.packed:
                self._packed += chunk
                if len(self._packed) > MAX_TEXT_BYTES:
                    raise too_large(MAX_TEXT_BYTES)
            for piece in self._decoder.feed(chunk):
                self._read(piece)

    def finish(self) -> bytes:
        """Return the whole reply where it is short, and may be an error; else nothing."""
        with self._lock:
            self._decoder.finish()
            return bytes(self._start or b"")

    def collected(self) -> Collected:
        """Return what came of the whole reply. It was paid for, so nothing is raised."""
        with self._lock:
            return self._surely(self._judged)

    def abort(self, *, final: bool = True) -> Collected:
        """Keep what came of a reply that broke off, or is given up; any thread may do so.

        With `final` nothing more is taken from now on.
        """
        tries = 0
        while True:
            tries += 1
            try:
                return self._aborted(final=final)
            except MemoryError:  # it may be there again in a moment
                if tries == _MAX_TRIES:
                    raise

    def _aborted(self, *, final: bool) -> Collected:
        if not self._lock.acquire(timeout=_MAX_WAIT_SECONDS):
            return Collected(images=(*self.images, *self._images.without_name()))
        try:
            self._over = final
            return self._surely(self._cut_off)
        finally:
            self._lock.release()

    def _surely(self, work: Callable[[], Collected]) -> Collected:
        """Do the work; where that fails, keep the reply as it came."""
        tries = 0
        while tries < _MAX_TRIES:
            tries += 1
            try:
                self._read_start()
                return work() if self._failure is None else self._unjudged(self._failure)
            except Exception as failure:  # a bug; or no memory, which may be there in a moment
                self._failure = failure
        lost = NotSaved("the reply was received and paid for, but could not be kept")
        return Collected(images=self.images, errors=(lost,))

    def _cut_off(self) -> Collected:
        kept = ""
        if self._stream.is_short or (self._stream.byte_count and not self._images.are_enough):
            kept = self._keep_reply("-incomplete-reply.json")
        if self._over:
            self._images.drop_arriving()
        return Collected(images=self.images, errors=tuple(self._errors()), kept=kept)

    def _read(self, data: bytes) -> None:
        """Take some of the reply without its content codings."""
        if self._start is not None:
            if len(self._start) + len(data) <= MAX_COMPLAINT_BYTES:
                self._start += data
                return
            self._read_start()
        self._take(data)

    def _take(self, data: bytes) -> None:
        before = self._stream.byte_count
        try:
            if self._failure is None:
                self._stream.feed(data)
                return
        except NscaleError:
            raise
        except Exception as failure:  # a bug, or no memory: from here on it is only kept
            self._failure, self._read_count = failure, before
        self._unread.append(data)
        if sum(map(len, self._unread)) > MAX_TEXT_BYTES:
            raise too_large(MAX_TEXT_BYTES)

    def _read_start(self) -> None:
        if self._start:
            self._take(bytes(self._start))
        self._start = None  # only now: nothing has it before, should memory run out

    def _whole(self) -> Iterator[bytes | bytearray]:
        """Yield the reply as it came."""
        if self._decoder.damaged or (self._decoder.packed and self._failure is not None):
            yield self._packed
            return
        rebuilt = self._stream.rebuilt()
        if self._read_count is None:
            yield from rebuilt
        else:
            yield from _first(rebuilt, self._read_count)
            yield from self._unread

    def _judged(self) -> Collected:
        """Judge what was no plain image, and say what is wrong with the whole."""
        errors: tuple[NscaleError, ...]
        streamed = bool(self._images.outcomes)
        items = None if self._decoder.damaged else self._stream.items()
        for index, item in enumerate(items or (), start=1):
            if item is not HANDED_ON:
                self._judge(index, item)
        if not self._images.outcomes:
            errors = (self._unusable(),)
            self._images.drop_arriving()
            return Collected(errors=errors)
        whole = items is not None and (self._stream.ends_well or not streamed)
        count = len(self._images.outcomes) if items is None else len(items)
        errors = (*self._errors(), *self._flaws_of_all(count, whole=whole))
        self._images.drop_arriving()
        return Collected(images=self.images, errors=errors)

    def _judge(self, index: int, item: object) -> None:
        found = decode_item(item)
        if found.url and self._store.fetch_urls:
            from nscale_cli.service.fetch import fetch_image

            found = fetch_image(found.url)
        if found.data is not None:
            self._images.save_late(index, found.data)
        else:
            flaw = f"{found.reason}; {self._keep_reply('-reply.json')}"
            hint = _ADDRESS_HINT if found.url else None
            self._images.outcomes.append((index, Outcome(flaw=flaw, hint=hint)))

    def _unusable(self) -> NscaleError:
        body = b"".join(self._whole())
        said = complaint_in(body, self._store.redactor) if len(body) <= _MAX_EXPLAINED_BYTES else ""
        what = f"the service sent no image: {said}" if said else "the service sent no image"
        return self._with_reply(UnusableReply(f"{what}; {self._keep_reply('-reply.json')}"))

    def _errors(self) -> Iterator[NscaleError]:
        """Yield what is wrong with the images, in their order, in a bounded number of words."""
        unusable = 0
        for index, outcome in sorted(self._images.outcomes, key=lambda entry: entry[0]):
            yield from outcome.errors
            unusable += outcome.flaw is not None
            if outcome.flaw is not None and unusable <= _MAX_SAID:
                what = f"image {index} is not usable: {outcome.flaw}"
                yield self._incomplete(what, hint=outcome.hint)
        if unusable > _MAX_SAID:
            yield self._incomplete(f"{unusable - _MAX_SAID} more are not usable either")

    def _flaws_of_all(self, count: int, *, whole: bool) -> Iterator[NscaleError]:
        """Yield what is wrong with the reply, of which `count` items were read."""
        asked = self._job.request.count
        if self._stream.is_short:
            kept = self._keep_reply("-reply.json")
            yield self._incomplete(f"{asked} images were asked for, more than {count} came; {kept}")
        elif not whole:
            kept = self._keep_reply("-reply.json")
            yield self._incomplete(f"the reply is damaged beside its images; {kept}")
        if count < asked:
            yield self._incomplete(f"{asked} images were asked for, {count} came")

    def _incomplete(self, message: str, *, hint: str | None = None) -> NscaleError:
        return self._with_reply(Incomplete(message, hint=hint))

    def _with_reply(self, error: NscaleError) -> NscaleError:
        error.http_status, error.request_id = self._reply.status, self._reply.request_id
        return error

    def _unjudged(self, failure: Exception) -> Collected:
        """Keep a reply that could not be taken apart."""
        what = f"the reply could not be taken apart ({type(failure).__name__})"
        error: NscaleError
        try:
            path = keep(self._whole(), "-reply.json", self._job, self._store)
        except NotSaved:
            error = NotSaved(f"{what}, and it could not be saved anywhere")
        else:
            error = UnusableReply(f"{what}; it is kept at {path}", billed=Billed.YES)
            self._images.drop_arriving()
        return Collected(images=self.images, errors=(*self._errors(), self._with_reply(error)))

    def _keep_reply(self, ending: str) -> str:
        """Keep the reply as far as it came, once; return the words that say where it is."""
        if self._kept_count != self.byte_count:
            try:
                aside = self._images.aside
                if aside is not None:
                    path = aside.publish(ending)
                else:
                    path = keep(self._whole(), ending, self._job, self._store)
                self._kept = f"it is kept at {path}"
            except NotSaved:
                self._kept = NOT_KEPT
            self._kept_count = self.byte_count
        return self._kept


def _first(pieces: Iterable[bytes], length: int) -> Iterator[bytes]:
    """Yield the first `length` bytes."""
    for piece in pieces:
        yield piece[:length]
        length -= len(piece)
        if length <= 0:
            return
