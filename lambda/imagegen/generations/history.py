"""Serves a caller's existing generations: looks one up, lists them, reads an image, deletes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from imagegen import errors
from imagegen.generations.attempts import Attempts
from imagegen.generations.generation import Generation
from imagegen.generations.ledger import Ledger
from imagegen.generations.ports import ImageStore, Page, SignedUrl
from imagegen.generations.submit import POLL_AFTER

_DELETE_TRIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A caller's own generations. Those of another caller look as if they did not exist."""

    attempts: Attempts
    images: ImageStore
    ledger: Ledger

    def look_up(self, id_: str, *, owner: str) -> Generation:
        """Return a caller's own generation, settled if its attempt was cut off.

        Raises:
            NotFound: the id is unknown, deleted, past its retention or another caller's; all of them look the same.
        """
        record = self.attempts.refresh(self._own(id_, owner=owner))
        if record.state == "deleted":
            raise errors.no_such_generation()
        return record

    def page(self, *, owner: str, limit: int, cursor: str | None) -> Page:
        """Return one page of a caller's generations, newest first; a page may hold fewer than `limit`."""
        page = self.ledger.of_owner(owner, limit=limit, cursor=cursor)
        for id_ in page.unreadable:
            self.attempts.observer.warned("a record cannot be read by this release", id_=id_)
        # The table removes a record some time after its retention; until then it is as unknown here as in `look_up`.
        kept = tuple(record for record in page.generations if not self.ledger.is_forgotten(record))
        return replace(page, generations=kept)

    def url(self, generation: Generation, *, download: str | None = None) -> SignedUrl:
        """Return a fresh presigned URL of a generation's image; does not check whether the image is still there.

        With `download`, a browser saves the image under this file name instead of showing it.
        """
        return self.images.url(generation.image_name, download=download)

    def read(self, generation: Generation) -> bytes:
        """Return the bytes of a succeeded generation's image.

        Raises:
            Gone: as `require_image`.
        """
        content = self.images.read(generation.image_name)
        if content is None:
            raise errors.Gone("The image has been removed.")
        return content

    def require_image(self, generation: Generation) -> None:
        """Make sure that a succeeded generation's image is still there.

        Raises:
            Gone: the image has been removed, by its lifecycle or by hand.
        """
        if self.images.find(generation.image_name) is None:
            raise errors.Gone("The image has been removed.")

    def delete(self, id_: str, *, owner: str) -> None:
        """Remove a generation, then its image; a queued job without a call that may be paid is cancelled.

        If it is cut off in between, a repeat or the sweep finishes it.

        Raises:
            NotFound: as `look_up`.
            InProgress: the generation is not done yet.
        """
        for _ in range(_DELETE_TRIES):
            record = self.attempts.refresh(self._own(id_, owner=owner))
            # A tombstone without a due time has nothing left to remove, so to everybody the id is unknown.
            if record.state == "deleted" and record.due_at is None:
                raise errors.no_such_generation()
            if record.state != "deleted" and not record.may_be_deleted:
                break
            tombstone = record if record.state == "deleted" else record.delete(self.ledger.moment())
            # The record comes first. In the other order, a generation that is restarted or healed in between would lose
            # its image: see docs/decisions/0030-an-image-in-the-bucket-is-the-proof.md.
            if tombstone is record or self.ledger.replaced(tombstone, replacing=record):
                self.attempts.remove_image(tombstone)
                return
        raise errors.in_progress(id_, retry_after=POLL_AFTER)

    def _own(self, id_: str, *, owner: str) -> Generation:
        record = self.ledger.get(id_)
        if record is None or record.owner != owner or self.ledger.is_forgotten(record):
            raise errors.no_such_generation()
        return record
