"""A stage is deployed, updated, destroyed and deployed again by make, where nobody sits at a terminal."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

from local.certificates import trust
from tests.support.hardened import KMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.emulated_account import EmulatedAccount
    from tests.support.fresh_checkout import Done, FreshCheckout

PROMPT: Final = {"text_prompts": [{"text": "A lighthouse."}]}
CANNOT_BE_MADE: Final = '''"""The app with one resource more, which nobody can make; the tables are made before it."""

from aws_cdk import CfnResource
from aws_cdk import aws_dynamodb as dynamodb

from stacks import synthesis
from stacks.imagegen_stack import ImagegenStack


class Impossible(ImagegenStack):
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        properties = {"FunctionName": "no-such-function", "Qualifier": "$LATEST", "MaximumRetryAttempts": 0}
        impossible = CfnResource(
            self, "Impossible", type="AWS::Lambda::EventInvokeConfig", properties=properties
        )
        for each in self.node.find_all():
            if isinstance(each, dynamodb.CfnTable):
                impossible.add_resource_dependency(each)


synthesis.ImagegenStack = Impossible
synthesis.synthesize()
'''


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Whoever deploys a stage, from a fresh clone, and its first caller."""

    stage: str
    checkout: FreshCheckout
    account: EmulatedAccount

    def make(self, target: str, *arguments: str, config: str = "", approve: str = "never") -> Done:
        """Run a target on the stage, without a terminal."""
        own = {"CONFIG": f"{self.account.config} {config}".strip(), "APPROVE": approve}
        return self.checkout.make(
            target, f"STAGE={self.stage}", *arguments, environ={**self.account.variables, **own}
        )

    def type(self, line: str) -> Done:
        """Run a line as it was printed, without a terminal."""
        environ = {**self.account.variables, "APPROVE": "never"}
        return self.checkout.run(*shlex.split(line), environ=environ)

    @contextmanager
    def caller(self, key: str) -> Iterator[httpx.Client]:
        """Return a client of the stage's API."""
        with httpx.Client(
            base_url=self.account.api_url(self.stage),
            headers={"x-api-key": key},
            verify=trust(self.account.emulator.ca_bundle),
            trust_env=False,
            timeout=300,
        ) as client:
            yield client


def worked(done: Done) -> str:
    """Return what a command said, which must have succeeded."""
    assert done.status == 0, done.text
    assert "Traceback" not in done.text
    return done.said


def image_of(client: httpx.Client, id_: str) -> bytes:
    """Return the image of a generation, by the URL that its owner gets now."""
    answer = client.get(f"/generations/{id_}").raise_for_status().json()
    assert answer["status"] == "succeeded"
    return client.get(answer["artifacts"][0]["url"], headers={"x-api-key": ""}).raise_for_status().content


def make_image(client: httpx.Client) -> tuple[str, bytes]:
    """Make an image, and return the id of its generation and the image."""
    made: dict[str, Any] = client.post("/text-to-image", json=PROMPT).raise_for_status().json()
    return made["id"], image_of(client, made["id"])


def refused(done: Done) -> str:
    """Return the sentence of a command that was refused; make adds that its command has failed."""
    assert done.status != 0
    sentence, of_make = done.errors.splitlines()
    assert (done.said, of_make.split()[0]) == ("", "make:")
    return sentence


def test_dev_is_deployed_updated_and_destroyed_and_nothing_is_left(
    made: FreshCheckout, account: EmulatedAccount
) -> None:
    """An update keeps the data. The bucket also has old versions when the stage is destroyed."""
    operator = Operator(stage="dev", checkout=made, account=account)
    assert refused(operator.make("deploy", approve="")).startswith("There is no terminal to approve ")
    worked(operator.make("deploy"))
    key = worked(operator.make("key", "NAME=alice")).split()[-1]
    with operator.caller(key) as client:
        id_, image = make_image(client)
    assert account.memory("dev") == {512}
    assert ", 0 drifted.\n" in worked(operator.make("drift"))

    shown = operator.make("diff", config="memory_mb=640")
    worked(shown)
    assert "MemorySize" in shown.text
    assert account.memory("dev") == {512}
    worked(operator.make("deploy", config="memory_mb=640"))
    assert account.memory("dev") == {640}
    with operator.caller(key) as client:
        assert image_of(client, id_) == image

    bucket = account.outputs("dev")["BucketName"]
    add_versions(account.client("s3"), bucket)
    assert refused(operator.make("destroy", approve="")).startswith("There is no terminal to confirm at: ")
    said = worked(operator.make("destroy"))
    assert f"Deleted 6 objects from {bucket}." in said
    assert account.left_of("dev") == {}


def add_versions(client: Any, bucket: str) -> None:
    """Put three versions and two delete markers beside the image that is there."""
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(3):
        client.put_object(Bucket=bucket, Key="images/old", Body=b"x")
    client.delete_object(Bucket=bucket, Key="images/old")
    client.delete_object(Bucket=bucket, Key="images/never-there")


def test_a_first_deployment_that_fails_leaves_no_data(made: FreshCheckout, account: EmulatedAccount) -> None:
    """A stack stays that the next deployment replaces. Unlike AWS, the emulator rolls protected tables back."""
    before = account.left_of("prod")
    settings = made.root / "cdk.json"
    ours = settings.read_text(encoding="utf-8")
    (made.root / "impossible.py").write_text(CANNOT_BE_MADE, encoding="utf-8")
    settings.write_text(ours.replace("python3 app.py", "python3 impossible.py"), encoding="utf-8")
    try:
        done = Operator(stage="prod", checkout=made, account=account).make("deploy")
    finally:
        settings.write_text(ours, encoding="utf-8")
    assert done.status != 0
    assert "Lambda function not found: no-such-function" in done.errors
    assert account.left_of("prod") == {**before, "stacks": ["imagegen-prod"]}


def test_prod_keeps_its_data_and_is_deployed_onto_it_again(
    made: FreshCheckout, account: EmulatedAccount
) -> None:
    """The two commands that `make destroy` prints are run as they are; the caller's key and image are still good.

    The stage has a key of its own, which is kept and imported with the data.
    """
    operator = Operator(stage="prod", checkout=made, account=account)
    worked(operator.make("deploy", config=KMS))
    key = worked(operator.make("key", "NAME=alice")).split()[-1]
    with operator.caller(key) as client:
        id_, image = make_image(client)

    worked(operator.make("deploy", config=f"memory_mb=640 {KMS}"))
    assert account.memory("prod") == {640}
    with operator.caller(key) as client:
        assert image_of(client, id_) == image

    before = account.outputs("prod")
    kept = {
        "buckets": [before["BucketName"]],
        "tables": sorted([before["TableName"], before["KeyTableName"]]),
    }
    said = worked(operator.make("destroy", config=f"memory_mb=640 {KMS}"))
    assert account.left_of("prod") == kept
    *_, onto_data, everything_else = said.splitlines()

    worked(operator.type(onto_data))
    worked(operator.type(everything_else))
    assert account.memory("prod") == {640}
    after = account.outputs("prod")
    data = ("BucketName", "TableName", "KeyTableName", "EncryptionKeyArn")
    assert {name: after[name] for name in data} == {name: before[name] for name in data}
    with operator.caller(key) as client:
        assert image_of(client, id_) == image

    again = worked(operator.make("destroy", config=f"memory_mb=640 {KMS}"))
    assert again.splitlines()[-2:] == [onto_data, everything_else]
    assert account.left_of("prod") == kept
