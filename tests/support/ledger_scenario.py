"""What callers, queues and the minute's tick make the three functions do, so that they use every right they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from imagegen.adapters import clients
from imagegen.adapters.key_table.table import DynamoDbKeys
from imagegen.adapters.model_catalogue import BedrockCatalogue
from imagegen.adapters.system import SystemClock
from imagegen.http.app import create_app
from imagegen.keys.api_key import ApiKey
from imagegen.keys.authorizer import Authorizer
from imagegen.models.lifecycle_check import check
from imagegen.models.registry import resolve
from imagegen.worker import NotAcknowledged
from tests.support import sdk_clients
from tests.support.call_ledger import ACCOUNT, REGION, Ledger, account, drawn_or_retired, one_of
from tests.support.events import Answer, event, send
from tests.support.fakes import FakeClock, FakeDeadline, FakeObserver
from tests.support.far_side import json_answer
from tests.support.real_parts import Wired, entered, rewired, shifted, wired
from tests.support.synthesis import TODAY
from tests.support.template_values import Deployment

if TYPE_CHECKING:
    from tests.support.synthesis import Synthesized

BODY: Final = {"text_prompts": [{"text": "a lighthouse at dusk"}]}
KEYED: Final = {"Idempotency-Key": "ledger-of-all-calls-0001"}
JOB: Final = {"Prefer": "respond-async"}
ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": REGION,
}
AFTER_A_LEASE: Final = 3600.0


@dataclass(kw_only=True)
class Told:
    """A webhook's sender that reads the secret as the real one does, and calls nobody; the first call is refused."""

    inner: Any
    calls: int = 0

    def deliver(self, _url: str, *, generation: object) -> str:  # noqa: ARG002 - the port's shape
        """Read the secret."""
        self.inner._secret()
        self.calls += 1
        return "again" if self.calls == 1 else "delivered"


def exercise(stage: Synthesized) -> tuple[Ledger, Deployment]:
    """Run the functions of a stage over an account in this process; return their calls and what was deployed."""
    ledger = Ledger()
    with entered(ENVIRONMENT), account(stage.template) as names:
        deployment = Deployment(
            template=stage.template,
            stack=f"imagegen-{stage.config.name}",
            account=ACCOUNT,
            names=names,
        )
        Functions(ledger=ledger, deployment=deployment, stage=stage).do_everything()
    return ledger, deployment


def exercise_the_daily_check(monitoring: Synthesized) -> tuple[Ledger, Deployment]:
    """Run the function that the monitoring invokes every day; return its calls and what was deployed."""
    ledger = Ledger()
    name = f"imagegen-{monitoring.config.name}-monitoring"
    with entered(ENVIRONMENT):
        session = ledger.session("Lifecycle")
        details = {
            "modelDetails": {"modelArn": "arn", "modelId": "id", "modelLifecycle": {"status": "ACTIVE"}}
        }
        session.register(
            "before-send.bedrock.GetFoundationModel",
            lambda **_: json_answer(details),  # type: ignore[arg-type]  # a returned response replaces the sending
        )
        refs = tuple(resolve(entry, region=REGION) for entry in monitoring.config.models)
        catalogue = BedrockCatalogue(lambda region: clients.bedrock(session, region=region))
        list(check(refs, catalogue=catalogue, today=TODAY))
    return ledger, Deployment(template=monitoring.template, stack=name, account=ACCOUNT)


class Functions:
    """The api function and the worker of a stage, with one ledger."""

    def __init__(self, *, ledger: Ledger, deployment: Deployment, stage: Synthesized) -> None:
        self._deployment = deployment
        self._ledger = ledger
        self._stage = stage
        self._api = self._wired("Api")
        self._worker = self._wired("Worker")
        self._app = create_app(self._api.services)
        self._jobs_made = 0
        self._queues = boto3.client("sqs", region_name=REGION)

    def do_everything(self) -> None:
        """Make, repeat, look up and delete images; work jobs off; bury, postpone, sweep and call back."""
        self._requests()
        self._jobs()
        self._sweeps()
        if self._stage.config.api_auth == "key":
            self._authorize()

    def _wired(self, function: str) -> Wired:
        session = self._ledger.session(function)
        session.register("before-send.bedrock-runtime.InvokeModel", drawn_or_retired)  # type: ignore[arg-type]  # it names the arguments that it uses
        made = wired(self._variables(function), observer=FakeObserver(), session=session)
        return rewired(made, lambda name, port: Told(inner=port) if name == "webhook" else port)

    def _variables(self, function: str) -> dict[str, str]:
        resource = self._stage.one("AWS::Lambda::Function", named=f"{function}Function")
        variables = self._deployment.value(resource["Environment"]["Variables"])
        return {name: str(value) for name, value in variables.items()}

    def _send(self, method: str, path: str, body: Any = None, **rest: Any) -> Answer:
        answer = send(self._app, event(method, path, body, **rest))
        assert answer.status < 400, answer.body
        return answer

    def _requests(self) -> None:
        made = self._send("POST", "/text-to-image", BODY, headers=KEYED).json["id"]
        self._send("POST", "/text-to-image", BODY, headers=KEYED)
        for _ in range(2):  # the second reply holds the stored image
            body = {"prompt": "tea", "response_format": "b64_json"}
            self._send(
                "POST", "/images/generations", body, headers={"Idempotency-Key": "ledger-of-all-calls-0002"}
            )
        for path in ("/generations", f"/generations/{made}", f"/generations/{made}/image", "/usage"):
            self._send("GET", path)
        self._send("DELETE", f"/generations/{made}")

    def _job(self, *, called_back: bool = False) -> str:
        webhook = {"webhook_url": "https://receiver.example.com/"} if called_back else {}
        self._jobs_made += 1
        number = self._jobs_made
        body = {"text_prompts": [{"text": f"job {number}"}], **webhook}
        headers = {**JOB, "Idempotency-Key": f"ledger-of-all-jobs-{number:04}-{called_back}"}
        return str(self._send("POST", "/text-to-image", body, headers=headers).json["id"])

    def _jobs(self) -> None:
        self._job(called_back=self._stage.config.webhooks)
        self._take_all("JobsQueue")
        if self._stage.config.webhooks:
            self._take_all("JobsCallBacks", refused=True)  # its receiver does
        # One that another worker has, so its message is postponed; and one whose message was given up.
        running = self._job()
        ledger = self._worker.service.jobs.ledger
        record = ledger.get(running)
        assert record is not None
        assert ledger.replaced(ledger.start(record), replacing=record)
        self._take_all("JobsQueue", refused=True)
        url = self._deployment.reference(self._queue("JobsDeadLetters"))
        self._queues.send_message(QueueUrl=url, MessageBody=running)
        self._take_all("JobsDeadLetters", refused=True)

    def _sweeps(self) -> None:
        # A job whose message was lost, and a tombstone whose image was not removed.
        self._job()
        made = self._send(
            "POST", "/text-to-image", BODY, headers={"Idempotency-Key": "ledger-of-all-calls-0003"}
        )
        ledger = self._worker.service.jobs.ledger
        record = ledger.get(str(made.json["id"]))
        assert record is not None
        assert ledger.replaced(record.delete(ledger.moment()), replacing=record)
        later = shifted(self._worker, seconds=AFTER_A_LEASE)
        assert later.worker.sweep() > 0

    def _take_all(self, queue: str, *, refused: bool = False) -> None:
        """Let the worker take each message of a queue as Lambda hands it over, and acknowledge it."""
        logical_id = self._queue(queue)
        url = self._deployment.reference(logical_id)
        taken = 0
        while messages := self._queues.receive_message(QueueUrl=url).get("Messages", []):
            for message in messages:
                taken += 1
                try:
                    self._worker.worker.take(
                        sqs_record(message, arn=self._deployment.arn(logical_id)), FakeDeadline(FakeClock())
                    )
                except NotAcknowledged:
                    assert refused
        assert taken

    def _queue(self, named: str) -> str:
        found = one_of(self._deployment, "AWS::SQS::Queue", named=named)
        assert found is not None
        return found

    def _authorize(self) -> None:
        variables = self._variables("HttpAuthorizer")
        # The authorizer sends the same request without the SDK; tests/local/test_key_look_up.py compares the two.
        client = sdk_clients.dynamodb(self._ledger.session("HttpAuthorizer"))
        keys = DynamoDbKeys(client=client, table=variables["KEY_TABLE_NAME"])
        key = ApiKey.create(bytes).text
        Authorizer(keys=keys, clock=SystemClock()).decide(event("GET", "/models", headers={"x-api-key": key}))


def sqs_record(message: Mapping[str, Any], *, arn: str) -> SQSRecord:
    """Return a message of a queue as Lambda hands it over."""
    return SQSRecord(
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": {"ApproximateReceiveCount": "1"},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": arn,
            "awsRegion": REGION,
        }
    )
