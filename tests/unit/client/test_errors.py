"""The client's tree of errors is the service's, with a few leaves of its own."""

from __future__ import annotations

import pickle
from typing import Final

import pytest

from imagegen import errors as service
from imagegen_client import errors
from imagegen_client.failures import failure_of
from tests.support.client_steps import failed

OWN: Final = {
    "invalid_configuration",
    "unreachable",
    "connection_lost",
    "unexpected_reply",
    "download_failed",
    "damaged_image",
}


def test_every_code_of_the_service_has_its_class() -> None:
    """Name, family and what is true of the code are those of `lambda/imagegen/errors.py`."""
    theirs = {
        kind.kind.code: (kind.__name__, kind.__bases__[0].__name__, kind.kind.paid)
        for kind in service.error_types()
    }
    ours = {
        code: (kind.__name__, kind.__bases__[0].__name__, kind.may_be_paid)
        for code, kind in errors.ERROR_TYPES.items()
    }
    assert {code: facts for code, facts in ours.items() if code not in OWN} == theirs
    assert set(ours) >= OWN


def test_the_tree_at_the_top_names_every_class() -> None:
    """Whoever adds an error also draws it."""
    drawn = errors.__doc__ or ""
    assert [kind.__name__ for kind in errors.ERROR_TYPES.values() if kind.__name__ not in drawn] == []


@pytest.mark.parametrize("kind", service.error_types(), ids=lambda kind: kind.kind.code)
def test_a_problem_becomes_the_error_of_its_code(kind: type[service.ImagegenError]) -> None:
    """Every fact of body and headers is on the exception."""
    found = failure_of(
        failed(
            kind,
            body={"errors": [{"field": "steps", "message": "must be small"}]},
            retry_after="7",
            location="/v1/generations/gen_abc234",
            idempotent_replayed="true",
        ),
        idempotency_key="k" * 16,
    )
    assert type(found) is errors.ERROR_TYPES[kind.kind.code]
    assert found.fields == (errors.FieldError(field="steps", message="must be small"),)
    assert found.detail == "Something is so."
    assert found.facts() == {
        "status": kind.kind.status,
        "request_id": "8f5a2c1e",
        "retryable": kind.kind.retryable,
        "charged": kind.kind.paid,
        "retry_after": 7.0,
        "generation_id": "gen_abc234",
        "replayed": True,
        "idempotency_key": "k" * 16,
    }


def test_an_error_travels_between_processes() -> None:
    """A process pool pickles the errors of its tasks."""
    sent = errors.ContentFiltered("No.", status=422, fields=(errors.FieldError(field="a", message="b"),))
    got = pickle.loads(pickle.dumps(sent))  # noqa: S301 - it was made in the line before
    assert (type(got), got.detail, got.fields, got.facts()) == (
        errors.ContentFiltered,
        "No.",
        sent.fields,
        sent.facts(),
    )
