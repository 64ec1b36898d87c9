"""The pruned data of botocore work as its own data do, and hold exactly the operations that the adapters call."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import botocore
import botocore.auth
import botocore.session
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader

from stacks.service_data import (
    CALLED_BY_BOTOCORE,
    KEPT_OPERATIONS,
    UnknownOperationError,
    prune_service_data,
)
from tests.support.adapter_calls import direct, methods, services
from tests.support.aws_shapes import full_reply, reply_of, sample

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.model import OperationModel

STOCK: Final = Path(botocore.__file__).parent / "data"
HELD: Final = tuple(
    (service, operation)
    for service, operations in KEPT_OPERATIONS.items()
    for operation in sorted(operations | CALLED_BY_BOTOCORE.get(service, frozenset()))
)
REGIONS: Final = (
    *("us-east-1", "us-west-2", "eu-central-1", "ap-southeast-2", "xx-nowhere-9"),
    *("us-gov-west-1", "cn-north-1", "us-iso-east-1", "us-isob-east-1", "eusc-de-east-1"),
)
CONFIGS: Final[Mapping[str, dict[str, Any]]] = {
    "plain": {},
    "virtual": {"s3": {"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"}},
    "path": {"s3": {"addressing_style": "path", "payload_signing_enabled": True}},
    "dual stack": {"use_dualstack_endpoint": True},
    "fips": {"use_fips_endpoint": True},
    "standard": {"retries": {"mode": "standard", "total_max_attempts": 2}, "signature_version": "v4"},
    "s3v4": {"signature_version": "s3v4"},
}
NOW: Final = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Side:
    """A session of botocore that reads one folder of data and no other."""

    def __init__(self, data: Path) -> None:
        self.session = botocore.session.Session()
        loader = Loader(extra_search_paths=[str(data)], include_default_search_paths=False)
        # Otherwise botocore takes the list of endpoints for the user's own, and reads no rules of endpoints.
        loader.BUILTIN_DATA_PATH = str(data)
        self.session.register_component("data_loader", loader)
        self.session.set_credentials("AKIDEXAMPLE", "secret", "token")

    def model(self, service: str) -> Any:
        """Return the description of a service."""
        return self.session.get_service_model(service)

    def client(self, service: str, region: str = "us-east-1", **config: Any) -> Recorded:
        """Return a client that sends nothing."""
        made = self.session.create_client(service, region_name=region, config=Config(**config))
        return Recorded(made)


class Recorded:
    """A client whose requests are kept, and whose replies are given."""

    def __init__(self, client: BaseClient) -> None:
        self.client = client
        self._sent: list[Any] = []
        self._replies: list[Mapping[str, Any]] = []
        client.meta.events.register("before-send", self._send)  # type: ignore[arg-type]  # a returned response replaces the sending

    def call(self, operation: str, params: Mapping[str, Any], *replies: Mapping[str, Any]) -> Any:
        """Return the requests of a call, and its result or exception; the last reply is given again and again."""
        self._sent, self._replies = [], list(replies)
        try:
            result: object = _read(getattr(self.client, xform_name(operation))(**params))
        except ClientError as error:
            result = (type(error).__name__, error.response)
        except BotoCoreError as error:
            result = repr(error)
        return (self._sent, result)

    def _send(self, request: Any, **_: Any) -> object:
        body = request.body.read() if hasattr(request.body, "read") else request.body
        headers = {**request.headers, "User-Agent": _in_order(request.headers["User-Agent"])}
        self._sent.append((request.method, request.url, headers, body))
        return reply_of(**(self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]))


def _in_order(user_agent: bytes) -> list[str]:
    """Return the words of a user agent; botocore writes the letters of the features that it uses in any order."""
    return ["".join(sorted(word)) if word.startswith("m/") else word for word in user_agent.decode().split()]


def _read(result: dict[str, Any]) -> dict[str, Any]:
    """Read what is streamed in a result, so that it can be compared."""
    return {
        name: list(value)
        if name == "body" and hasattr(value, "__iter__") and not hasattr(value, "read")
        else (value.read() if hasattr(value, "read") else value)
        for name, value in result.items()
    }


@pytest.fixture(scope="module")
def pruned_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a pruned copy of botocore's data."""
    data = tmp_path_factory.mktemp("botocore") / "data"
    data.mkdir()
    for path in STOCK.iterdir():
        if path.is_file():
            shutil.copy(path, data)
        elif path.name in {*KEPT_OPERATIONS, "sts"}:
            shutil.copytree(path, data / path.name)
    prune_service_data(data)
    return data


@pytest.fixture(scope="module")
def pruned(pruned_data: Path) -> Side:
    """Return a session with the data of the zip."""
    return Side(pruned_data)


@pytest.fixture(scope="module")
def stock() -> Side:
    """Return a session with all data of botocore."""
    return Side(STOCK)


@pytest.fixture(autouse=True)
def same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give both sides one time and one invocation id, and no configuration of this machine."""
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW.replace(tzinfo=None))
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=7))
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")


def params_of(model: OperationModel) -> Iterator[dict[str, Any]]:
    """Yield the required members of a request alone, then with each other member in turn."""
    shape = model.input_shape
    assert shape is not None
    required = {name: sample(shape.members[name], name) for name in shape.required_members}
    yield required
    for name, member in shape.members.items():
        if name not in required:
            yield {**required, name: sample(member, name)}


@pytest.mark.parametrize(("service", "operation"), HELD)
def test_requests_are_built_signed_and_parsed_as_by_botocores_own_data(
    pruned: Side, stock: Side, service: str, operation: str
) -> None:
    """Each member of the request is sent once, and the reply has every member that a reply can have."""
    model = stock.model(service).operation_model(operation)
    reply = full_reply(model.output_shape, protocol=model.service_model.protocol)
    ours, theirs = pruned.client(service), stock.client(service)
    seen = 0
    for params in params_of(model):
        expected = theirs.call(operation, params, reply)
        assert ours.call(operation, params, reply) == expected
        seen += isinstance(expected, tuple) and bool(expected[0])
    assert seen > 0


@pytest.mark.parametrize(("service", "operation"), HELD)
def test_errors_are_parsed_as_by_botocores_own_data(
    pruned: Side, stock: Side, service: str, operation: str
) -> None:
    """Each error of the service keeps its class and members, also errors that the operation does not list."""
    model = stock.model(service)
    params = next(params_of(model.operation_model(operation)))
    ours, theirs = (side.client(service, retries={"total_max_attempts": 1}) for side in (pruned, stock))
    names = set()
    for shape in [*model.error_shapes, None]:
        status = (shape.metadata.get("error", {}).get("httpStatusCode", 400)) if shape else 418
        code = shape.error_code if shape else "NobodyKnowsThisError"
        reply = full_reply(shape, protocol=model.protocol, status=status, error=code)
        expected: Any = theirs.call(operation, params, reply)
        assert ours.call(operation, params, reply) == expected
        names.add(expected[1][0])
    assert len(names) > 1


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize(("service", "operation"), [each for each in HELD if each[1] != "HeadBucket"])
def test_endpoints_are_those_of_botocores_own_data(
    pruned: Side, stock: Side, service: str, operation: str, config: dict[str, Any]
) -> None:
    """This holds in each partition, also for a region that does not exist yet."""
    params = next(params_of(stock.model(service).operation_model(operation)))
    for region in REGIONS:
        theirs = _called(stock, service, operation, params, region=region, config=config)
        assert _called(pruned, service, operation, params, region=region, config=config) == theirs


@pytest.mark.parametrize(
    "environment",
    [
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
        {
            "AWS_ENDPOINT_URL_S3": "https://s3.example",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://b.example/v1",
        },
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_ENDPOINT_URL_DYNAMODB": "https://d.example"},
        {"AWS_BEARER_TOKEN_BEDROCK": "bearer-token"},
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_DEFAULTS_MODE": "in-region"},
    ],
    ids=str,
)
def test_the_environment_has_the_same_effect(
    pruned_data: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """This covers endpoints of the operator's own, bearer tokens and modes of defaults."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ours, theirs = Side(pruned_data), Side(STOCK)
    for service, operation in HELD:
        params = next(params_of(theirs.model(service).operation_model(operation)))
        for config in ({}, CONFIGS["path"]):
            expected = _called(theirs, service, operation, params, region="eu-central-1", config=config)
            assert _called(ours, service, operation, params, region="eu-central-1", config=config) == expected


def _called(
    side: Side,
    service: str,
    operation: str,
    params: Mapping[str, Any],
    *,
    region: str,
    config: dict[str, Any],
) -> object:
    try:
        client = side.client(service, region, **config)
    except BotoCoreError as error:
        return repr(error)
    return client.call(operation, params, {})


@pytest.mark.parametrize("region", REGIONS)
def test_presigned_urls_are_those_of_botocores_own_data(pruned: Side, stock: Side, region: str) -> None:
    """The URL is the whole reply of a request that nobody sends."""
    params = {"Bucket": "pictures", "Key": "images/a.png", "ResponseContentType": "image/png"}

    def presigned(side: Side) -> str:
        client: Any = side.client("s3", region, **CONFIGS["virtual"], signature_version="s3v4").client
        url: str = client.generate_presigned_url("get_object", Params=params, ExpiresIn=60)
        return url

    assert "X-Amz-Signature" in presigned(stock)
    assert presigned(pruned) == presigned(stock)


@pytest.mark.parametrize("service", KEPT_OPERATIONS)
def test_the_list_of_endpoints_is_that_of_botocores_own_data(pruned: Side, stock: Side, service: str) -> None:
    """The list is what clients fall back to, and what names the regions of a service."""
    sessions: list[Any] = [pruned.session, stock.session]
    ours, theirs = (session._get_internal_component("endpoint_resolver") for session in sessions)
    assert ours.get_available_partitions() == theirs.get_available_partitions()
    prefix = stock.model(service).endpoint_prefix
    for partition in theirs.get_available_partitions():
        regions = theirs.get_available_endpoints(prefix, partition)
        assert ours.get_available_endpoints(prefix, partition) == regions
        for region in (*regions, *REGIONS):
            for variant in ({}, {"use_dualstack_endpoint": True}, {"use_fips_endpoint": True}):
                expected = _constructed(theirs, prefix, region, partition, variant=variant)
                assert _constructed(ours, prefix, region, partition, variant=variant) == expected


def _constructed(resolver: Any, *place: str, variant: dict[str, Any]) -> object:
    try:
        return resolver.construct_endpoint(*place, **variant)
    except BotoCoreError as error:
        return repr(error)


@pytest.mark.parametrize(("service", "operation"), HELD)
def test_the_description_of_an_operation_lacks_only_its_documentation(
    pruned: Side, stock: Side, service: str, operation: str
) -> None:
    """Everything that an operation refers to is there, to the last trait of the last shape."""

    def described(side: Side) -> dict[str, Any]:
        model = side.model(service)
        raw: Any = model.operation_model(operation)._operation_model
        shapes: dict[str, Any] = {}
        waiting = [raw, *(shape._shape_model for shape in model.error_shapes)]
        while waiting:
            node = waiting.pop()
            if isinstance(node, dict):
                waiting += [value for value in node.values() if isinstance(value, (dict, list))]
                name = node.get("shape")
                if isinstance(name, str) and name not in shapes:
                    shapes[name] = model._shape_resolver.get_shape_by_name(name)._shape_model
                    waiting.append(shapes[name])
            else:
                waiting += [value for value in node if isinstance(value, (dict, list))]
        texts = json.dumps([raw, shapes, model.metadata], default=str, sort_keys=True)
        return {"described": json.loads(texts, object_hook=_undocumented)}

    assert described(pruned) == described(stock)
    assert (
        pruned.model(service).client_context_parameters == (stock.model(service).client_context_parameters)
        or service == "s3"
    )


def _undocumented(node: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in node.items() if not (name == "documentation" and type(value) is str)
    }


def test_every_operation_that_the_adapters_call_is_kept_and_no_other() -> None:
    """A new call of the SDK's clients needs its operation in the list; a call that is gone leaves it."""
    # The errors of this one are read as the SDK reads them.
    sent_without_the_sdk = direct() - {"invoke_model"}
    kept = {xform_name(name) for names in KEPT_OPERATIONS.values() for name in names}
    assert kept == methods() - sent_without_the_sdk
    assert direct() == {"get_item", "put_item", "update_item", "query", "put_object", "invoke_model"}
    assert set(KEPT_OPERATIONS) == services()


def test_botocore_finds_the_region_of_a_bucket_that_is_elsewhere(pruned: Side) -> None:
    """It asks by itself, with an operation that no adapter calls."""
    client = pruned.client("s3")
    elsewhere = {"status": 301, "body": b"<Error><Code>PermanentRedirect</Code></Error>"}
    told = {"headers": {"x-amz-bucket-region": "eu-west-1"}}
    sent, _ = client.call("GetObject", {"Bucket": "pictures", "Key": "a"}, elsewhere, told, {})
    assert [(method, url) for method, url, *_ in sent] == [
        ("GET", "https://pictures.s3.amazonaws.com/a"),
        ("HEAD", "https://pictures.s3.amazonaws.com/"),
        ("GET", "https://pictures.s3.eu-west-1.amazonaws.com/a"),
    ]


def test_an_operation_that_botocore_does_not_know_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release of botocore may rename one; then the build fails, and not the function."""
    shutil.copytree(STOCK / "sqs", tmp_path / "sqs")
    monkeypatch.setattr("stacks.service_data.KEPT_OPERATIONS", {"sqs": frozenset({"SendMessages"})})
    with pytest.raises(UnknownOperationError, match=r"^botocore's sqs has no operation SendMessages, which"):
        prune_service_data(tmp_path)


def test_a_service_that_botocore_does_not_know_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build fails here as well."""
    monkeypatch.setattr("stacks.service_data.KEPT_OPERATIONS", {"sqs2": frozenset({"SendMessage"})})
    with pytest.raises(UnknownOperationError, match=r"^botocore does not describe the service sqs2, which"):
        prune_service_data(tmp_path)


def test_a_member_may_be_called_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of documentation and unused shapes are removed; a member that is called `documentation` stays."""
    monkeypatch.setattr("stacks.service_data.KEPT_OPERATIONS", {"small": frozenset({"Ask"})})
    member = {"shape": "Text", "documentation": "A page about it."}
    model = {
        "metadata": {"endpointPrefix": "small"},
        "operations": {"Ask": {"input": {"shape": "AskRequest"}, "documentation": "Asks."}, "Tell": {}},
        "shapes": {
            "AskRequest": {"type": "structure", "members": {"documentation": member}},
            "Text": {"type": "string", "documentation": "Any text."},
            "Unused": {"type": "string"},
        },
    }
    (tmp_path / "small" / "2026-01-01").mkdir(parents=True)
    description = tmp_path / "small" / "2026-01-01" / "service-2.json"
    description.write_text(json.dumps(model))
    (tmp_path / "endpoints.json").write_text(json.dumps({"partitions": []}))
    prune_service_data(tmp_path)
    assert json.loads(description.read_text()) == {
        "documentation": "",
        "metadata": {"endpointPrefix": "small"},
        "operations": {"Ask": {"input": {"shape": "AskRequest"}}},
        "shapes": {
            "AskRequest": {"type": "structure", "members": {"documentation": {"shape": "Text"}}},
            "Text": {"type": "string"},
        },
    }
