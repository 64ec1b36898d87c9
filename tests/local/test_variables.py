"""The variables of `make up` are read and checked, and its certificates, fingerprints and state file are right."""

import datetime as dt
import json
import re
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from local import certificates, emulator, page_server, stand_in
from local.__main__ import main
from local.deployment import BOOTSTRAP_PARAMETERS, BOOTSTRAP_TEMPLATE
from local.state import State
from local.variables import Variables, from_environment
from tools.checkout import CHECKOUT, digest_of
from tools.failures import LocalError

NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)


def test_without_variables_the_documented_ports_and_folder_hold() -> None:
    """A plain `make up` uses them."""
    plain = from_environment({})
    assert plain.aws_endpoint_url == "http://127.0.0.1:4566"
    assert plain.bedrock_endpoint_url == "http://127.0.0.1:4580"
    assert plain.folder == CHECKOUT / ".local"


def test_the_variables_combine() -> None:
    """Each variable has its effect, whatever the others are."""
    given = from_environment(
        {"PORT_OFFSET": "100", "STRICT": "1", "BEDROCK_URL": "http://127.0.0.1:9000/", "CONFIG": " a=1  b=2 "}
    )
    assert given.aws_endpoint_url == "https://127.0.0.1:4666"
    assert given.bedrock_endpoint_url == "http://127.0.0.1:9000"
    assert given.config == "a=1 b=2"


@pytest.mark.parametrize("offset", ["-1", "1.5", "60956", "1e3", "x"])
def test_an_offset_that_leaves_the_port_range_is_refused(offset: str) -> None:
    """The error names the range."""
    with pytest.raises(LocalError, match="from 0 to 60955"):
        from_environment({"PORT_OFFSET": offset})


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:80",
        "ftp://host",
        "http://",
        "http://host:0",
        "http://host:port",
        "http://a b",
        "http://127.0.0.1:80/model",
        "http://127.0.0.1:80?x=1",
        "http://u:secret@127.0.0.1:80",
        "http://-x",
        "http://ü",
        "http://a_b",
        "http://a..b",
        f"http://{'a' * 64}.b",
        f"http://{'a.' * 127}b",
        "http://a-.example",
        f"http://{'.'.join(['a' * 60] * 5)}",
        "http://[::1]:80",
        "http://127.0.0.1:65536",
        "http://127.0.0.1\n.example",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """The error says what an address looks like, and shows no password."""
    with pytest.raises(LocalError, match="BEDROCK_URL must be an http or https address") as refused:
        from_environment({"BEDROCK_URL": url})
    assert "secret" not in str(refused.value)


def test_the_runtime_has_one_variable_and_not_two() -> None:
    """If both `BEDROCK_URL` and `CONFIG` could set it, the last one would win unseen."""
    with pytest.raises(LocalError, match="BEDROCK_URL"):
        from_environment({"CONFIG": "model_timeout=5 bedrock_endpoint_url=http://127.0.0.1:9000"})


def test_certificates_are_kept_until_a_week_before_they_end(tmp_path: Path) -> None:
    """A second `make up` must not change the authority that clients trust."""
    first = certificates.ensure(tmp_path / "tls", now=NOW).authority.read_bytes()
    assert (
        certificates.ensure(tmp_path / "tls", now=NOW + dt.timedelta(days=80)).authority.read_bytes() == first
    )
    assert (
        certificates.ensure(tmp_path / "tls", now=NOW + dt.timedelta(days=84)).authority.read_bytes() != first
    )


def test_the_certificate_names_every_host_and_its_key_is_private(tmp_path: Path) -> None:
    """Clients reach the emulator by its address, by localhost and by the API's own name."""
    files = certificates.ensure(tmp_path / "tls", now=NOW)
    leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "*.localhost", "*.execute-api.localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert files.key.stat().st_mode & 0o077 == 0


def test_the_authority_may_sign_servers_and_no_other_authority(tmp_path: Path) -> None:
    """The authority's certificate says so; the file for the emulator has both certificates, its own first."""
    files = certificates.ensure(tmp_path / "tls", now=NOW)
    leaf, authority = x509.load_pem_x509_certificates(files.certificate.read_bytes())
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    assert leaf.issuer == authority.subject
    assert files.authority.read_bytes() in files.trusted.read_bytes()
    leaf.verify_directly_issued_by(authority)


def test_a_client_trusts_the_authority_alone(tmp_path: Path) -> None:
    """The client does not trust the other authorities that this machine trusts."""
    files = certificates.ensure(tmp_path / "tls", now=NOW)
    context = certificates.trust(files.authority)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1


def test_a_fingerprint_follows_names_and_contents_but_not_compiled_python(tmp_path: Path) -> None:
    """The fingerprint changes only with files that change the deployment."""
    (tmp_path / "stacks" / "__pycache__").mkdir(parents=True)
    (tmp_path / "stacks" / "a.py").write_text("1", encoding="utf-8")
    first = digest_of(["stacks", "absent"], root=tmp_path)
    (tmp_path / "stacks" / "__pycache__" / "a.pyc").write_bytes(b"1")
    assert digest_of(["stacks", "absent"], root=tmp_path) == first
    (tmp_path / "stacks" / "a.py").write_text("2", encoding="utf-8")
    second = digest_of(["stacks", "absent"], root=tmp_path)
    (tmp_path / "stacks" / "a.py").rename(tmp_path / "stacks" / "b.py")
    assert len({first, second, digest_of(["stacks", "absent"], root=tmp_path)}) == 3


def test_the_state_survives_its_file(tmp_path: Path) -> None:
    """The state that is read equals the state that was written, and an older file is replaced."""
    members = {name: name for name in State.__dataclass_fields__} | {"ca_bundle": None}
    state = State(**members)  # type: ignore[arg-type]  # every other member is a string
    state.write(tmp_path)
    state.write(tmp_path)
    assert State.read(tmp_path) == state
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


NULLS = json.dumps(dict.fromkeys(State.__dataclass_fields__)).encode()
ONE_NULL = json.dumps(
    {**dict.fromkeys(State.__dataclass_fields__, "text"), "aws_endpoint_url": None}
).encode()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"api_url": "x"}', b'{"x": 1}', b"\xff", b"[" * 100_000, NULLS, ONE_NULL],
    ids=len,
)
def test_a_damaged_state_says_what_to_run(tmp_path: Path, content: bytes) -> None:
    """A disk that was full may have left half of it."""
    (tmp_path / "state.json").write_bytes(content)
    with pytest.raises(LocalError, match=r"state\.json is damaged: `make up` writes it anew\."):
        State.read(tmp_path)


@pytest.mark.parametrize("folder", ["/dev/null", "/proc/x", "/var/" + "x" * 5_000], ids=len)
def test_a_folder_that_cannot_be_used_is_one_line(
    folder: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The path is named."""
    monkeypatch.setenv("IMAGEGEN_LOCAL_DIR", folder)
    monkeypatch.setattr("sys.argv", ["local", "up"])
    assert main() == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(folder[:40])
    assert "cannot be used: " in said


def test_the_emulator_is_bootstrapped_from_the_template_of_the_cdk() -> None:
    """The command line's own template is there, knows what it is told, and is small enough to be sent as it is."""
    template = BOOTSTRAP_TEMPLATE.read_text(encoding="utf-8")
    parameters = re.findall(
        r"^  (\w+):$", template.partition("Parameters:")[2].partition("\nConditions:")[0], re.MULTILINE
    )
    assert BOOTSTRAP_PARAMETERS.keys() <= set(parameters)
    assert len(template.encode()) <= 51_200


def test_everything_listens_on_this_machine_alone(tmp_path: Path) -> None:
    """The emulator is told so; the stand-in and the server of the page do so unless they are told otherwise."""
    variables = Variables(folder=tmp_path)
    wanted = emulator.service(variables, None)
    assert wanted.command[wanted.command.index("--bind") + 1].startswith("127.0.0.1:")
    assert wanted.environment["BIND_HOST"] == "127.0.0.1"
    assert "--host" not in stand_in.service(variables).command
    own = (CHECKOUT / "local" / "bedrock" / "__main__.py").read_text(encoding="utf-8")
    assert re.findall(r'"--host", default="([^"]+)"', own) == ["127.0.0.1"]
    with page_server.server(port=0, api_url="", aws="", root=CHECKOUT, tls=False) as server:
        assert server.server_address[0] == "127.0.0.1"
