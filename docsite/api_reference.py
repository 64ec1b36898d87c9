"""The API reference: a page made of the API's document, `lambda/imagegen/http/openapi.json`.

It has every route with its parameters, its body, its replies and the codes of its problems, and every schema.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from docsite.sources import Page
from tools.failures import LocalError

DOCUMENT: Final = "lambda/imagegen/http/openapi.json"
PATH: Final = "api-reference.md"
_INTRODUCTION: Final = """
This page is made of the API's document, [openapi.json](openapi.json), which a deployment serves at
`GET /v1/openapi.json`. [API](api.md) explains the routes, with examples. [Errors](errors.md) explains the codes.

"""
_LIMITS: Final = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "format": "{}",
}


def page(root: Path) -> Page:
    """Make the page of a checkout."""
    document = json.loads((root / DOCUMENT).read_text(encoding="utf-8"))
    return Page(source="", path=PATH, text=reference(document))


def reference(document: Mapping[str, Any]) -> str:
    """Return the reference of an OpenAPI document, as GitHub's Markdown.

    Raises:
        LocalError: the document has something that this page would leave out.
    """
    by_tag: dict[str, list[str]] = {tag["name"]: [] for tag in document["tags"]}
    for path, method, operation in _operations(document):
        (tag,) = operation["tags"]
        by_tag[tag].append(_route(f"{method.upper()} {path}", operation))
    parts = [f"# API reference\n{_INTRODUCTION}{document['info']['description']}\n"]
    parts.append(f"## Callers\n\n{_callers(document)}")
    parts += [
        f"## {tag['name']}\n\n{tag['description']}\n\n{''.join(by_tag[tag['name']])}"
        for tag in document["tags"]
    ]
    parts.append(f"## Headers\n\n{_headers(document)}")
    parts.append("## Schemas\n")
    schemas = document["components"]["schemas"]
    parts += [f"### Schema {name}\n\n{_schema(name, schema)}" for name, schema in schemas.items()]
    return "\n".join(parts)


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    base = document["servers"][0]["url"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield base + path, method, operation
    for name, methods in document["webhooks"].items():
        for method, operation in methods.items():
            yield f"to your `webhook_url` ({name})", method, operation


def _callers(document: Mapping[str, Any]) -> str:
    schemes = document["components"]["securitySchemes"]
    return "".join(f"- {name}: {scheme['description']}\n" for name, scheme in schemes.items())


def _route(title: str, operation: Mapping[str, Any]) -> str:
    known = {
        "operationId",
        "tags",
        "summary",
        "description",
        "parameters",
        "requestBody",
        "responses",
        "security",
    }
    if set(operation) - known:
        raise LocalError(f"{title} has {sorted(set(operation) - known)}: add it to docsite/api_reference.py.")
    key = "no API key is needed" if operation.get("security") == [] else "needs an API key"
    parts = [
        f"### {title}\n",
        f"{operation['summary']}. {operation['description']}\n",
        f"Operation `{operation['operationId']}`; {key}.\n",
    ]
    if operation.get("parameters"):
        parts.append(_table(("parameter", "in", "type", "means"), map(_parameter, operation["parameters"])))
    if "requestBody" in operation:
        parts += [f"The body:\n\n{_content(operation['requestBody']['content'])}"]
    rows = [_reply(status, reply) for status, reply in operation["responses"].items()]
    parts.append(_table(("status", "body", "headers", "means"), rows))
    return "\n".join(parts) + "\n"


def _parameter(parameter: Mapping[str, Any]) -> tuple[str, ...]:
    name = f"`{parameter['name']}`" + (", required" if parameter.get("required") else "")
    return name, parameter["in"], _type(parameter["schema"]), parameter.get("description", "")


def _content(content: Mapping[str, Any]) -> str:
    parts = []
    for kind, media in content.items():
        parts.append(f"`{kind}`: {_type(media['schema'])}\n")
        if "example" in media:
            parts.append(f"```json\n{json.dumps(media['example'], indent=2, ensure_ascii=False)}\n```\n")
    return "\n".join(parts)


def _reply(status: str, reply: Mapping[str, Any]) -> tuple[str, ...]:
    content = reply.get("content", {})
    bodies = [
        f"`{kind}`" + (f": {_type(media['schema'])}" if "schema" in media else "")
        for kind, media in content.items()
    ]
    headers = ", ".join(f"[`{name}`](#headers)" for name in reply.get("headers", {}))
    told = reply["description"].removeprefix("- ").replace("\n- ", "<br>")
    # An example of a problem is named after its code.
    for code in (code for media in content.values() for code in media.get("examples", {})):
        link = f"[`{code}`](errors.md#every-code)"
        told = told.replace(f"`{code}`", link) if f"`{code}`" in told else f"{told}<br>{link}"
    return status, "<br>".join(bodies), headers, told


def _headers(document: Mapping[str, Any]) -> str:
    headers = document["components"]["headers"].items()
    rows = [(f"`{name}`", _type(header["schema"]), header["description"]) for name, header in headers]
    return _table(("header", "type", "means"), rows)


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    if schema.get("type") != "object" or "properties" not in schema:
        return f"{schema.get('description', name)}\n\nType: {_type(schema)}\n"
    required = schema.get("required", ())
    rows = [
        (
            f"`{member}`" + (", required" if member in required else ""),
            _type(value),
            value.get("description", ""),
        )
        for member, value in schema["properties"].items()
    ]
    text = f"{schema.get('description', '')}\n\n" if schema.get("description") else ""
    return f"{text}{_table(('member', 'type', 'means'), rows)}{_dependent(schema)}"


def _dependent(schema: Mapping[str, Any]) -> str:
    """Say which members need each other, and which of their values go together."""
    told = [
        f"`{member}` needs {' and '.join(f'`{other}`' for other in others)}."
        for member, others in schema.get("dependentRequired", {}).items()
    ]
    for dependent in schema.get("dependentSchemas", {}).values():
        choices = [choice["properties"] for choice in dependent["anyOf"]]
        values = "; ".join(" and ".join(map(_type, choice.values())) for choice in choices)
        told.append(f"{' and '.join(f'`{name}`' for name in choices[0])} go together: {values}.")
    return f"\n{' '.join(dict.fromkeys(told))}\n" if told else ""


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#schema-{name.lower()})"
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return " or ".join(_type(one) for one in schema[word])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return ", ".join([f"list of {_type(schema['items'])}", *_limits(schema)])
    kind = schema.get("type", "any value")
    return ", ".join([kind if isinstance(kind, str) else " or ".join(kind), *_limits(schema)])


def _limits(schema: Mapping[str, Any]) -> list[str]:
    limits = [text.format(schema[name]) for name, text in _LIMITS.items() if name in schema]
    if "pattern" in schema:
        limits.append(f"pattern {_code(schema['pattern'])}")
    return limits + ([f"default `{json.dumps(schema['default'])}`"] if "default" in schema else [])


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _table(columns: tuple[str, ...], rows: Any) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    cells = (tuple(" ".join(cell.replace("|", "\\|").split()) for cell in line) for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)
