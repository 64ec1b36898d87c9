"""A canary: a prompt that nothing else uses, the service that it is sent to, and everything that may quote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from imagegen.adapters.telemetry import PowertoolsObserver
from imagegen.http.app import create_app
from imagegen.worker import NotAcknowledged
from tests.support import real_parts
from tests.support.events import Answer, Context, event, send
from tests.support.fakes import FakeClock, FakeDeadline
from tests.support.quoting import asking
from tests.support.real_parts import Poller, Wired

if TYPE_CHECKING:
    import pytest
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class SleepingContext(Context):
    """Lambda's context for a service that only pretends to sleep: the pretended seconds still count as used."""

    clock: FakeClock = field(default_factory=FakeClock)

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left of the invocation."""
        began = FakeClock().time
        return self.milliseconds - int(1000 * (self.clock.time - began).total_seconds())


class Broken:
    """A port with a defect, whose every call raises an error that quotes the prompt."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt

    def __getattr__(self, name: str) -> Any:
        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError(f"{name} cannot handle {self._prompt}")

        return fail


@dataclass(kw_only=True)
class Canary:
    """One prompt, the service that it is sent to, and everything that may quote it."""

    prompt: str
    service: Wired
    observer: PowertoolsObserver
    poller: Poller
    clock: FakeClock
    s3: S3Client
    bucket: str
    capsys: pytest.CaptureFixture[str]
    caplog: pytest.LogCaptureFixture

    def ask(self, request: Mapping[str, Any], *, service: Wired | None = None) -> Answer:
        """Send a request as the handler does, check that it fails, and return the reply."""
        app = create_app((service or self.service).services)
        with self.observer.publishing():
            answer = send(app, request, context=SleepingContext(clock=self.clock))
        assert answer.status >= 400
        return answer

    def work(self, *, service: Wired | None = None) -> int:
        """Take the messages of the queue as the handler does, and return how many were not acknowledged."""
        back = 0
        for record in self.poller.drain():
            try:
                with self.observer.publishing():
                    worker = (service or self.service).worker
                    worker.take(SQSRecord(record), FakeDeadline(self.clock))
            except NotAcknowledged:
                back += 1
            self.poller.acknowledge(record)
        return back

    def accept(self, *, service: Wired | None = None) -> None:
        """Send the prompt in an asynchronous request, and check that it is accepted."""
        request = event("POST", "/text-to-image", asking(self.prompt), headers={"Prefer": "respond-async"})
        assert send(create_app((service or self.service).services), request).status == 202

    def broken(self, *ports: str) -> Wired:
        """Return the service with a defect in each of these ports."""
        return real_parts.rewired(
            self.service, lambda name, port: Broken(self.prompt) if name in ports else port
        )

    def assert_silence(self, *answers: Answer) -> None:
        """Assert that the prompt is in no reply, no output, no library's log, and nowhere in the bucket."""
        heard = self.capsys.readouterr()
        spoken = {
            "standard output": heard.out,
            "standard error": heard.err,
            "logs": "\n".join(f"{record.getMessage()} {record.__dict__}" for record in self.caplog.records),
            "bodies": "\n".join(answer.content.decode("latin-1") for answer in answers),
            "headers": "\n".join(f"{answer.headers}" for answer in answers),
            "bucket": "\n".join(self._objects()),
        }
        assert [where for where, text in spoken.items() if self.prompt in text] == []

    def _objects(self) -> Iterator[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        for page in pages:
            for found in page.get("Contents", []):
                yield f"{found['Key']} {self.s3.head_object(Bucket=self.bucket, Key=found['Key'])}"
