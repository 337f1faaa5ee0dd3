"""An OpenAPI 3 document, Levada's own or any other, as a contract module."""

from __future__ import annotations

import re
from typing import Any

from levada.contract._generate.model import Field, Method, Module, ProblemClass, class_name, snake_name
from levada.contract._generate.schema_types import Types
from levada.contract._generate.text import quoted
from levada.contract.errors import ModelError

__all__ = ["NotOpenApi", "read"]

_VERBS = ("get", "post", "put", "patch", "delete")


class NotOpenApi(ModelError, code="LV1120"):
    """{place}: {reason} {mend}

    The document is not OpenAPI 3 in JSON, or says something that no contract can be made of.
    """


def read(document: dict[str, Any], *, name: str | None = None, domain: str | None = None) -> Module:
    """The module of a document.

    Args:
        document: OpenAPI 3.0 or 3.1, decoded.
        name: The contract's class; default: from the title.
        domain: Default: Levada's own document tells, else ``external``, to be decided.

    Raises:
        NotOpenApi: It is another kind of document.
    """
    if not str(document.get("openapi", "")).startswith("3."):
        raise NotOpenApi(
            place="The document",
            reason="it has no `openapi: 3.x`",
            mend="Give the address of an OpenAPI 3 document, for example https://host/sales/customers/v1/openapi.json",
        )
    return _Reader(document, name, domain).module


class _Reader:
    def __init__(self, document: dict[str, Any], name: str | None, domain: str | None) -> None:
        info: dict[str, Any] = document.get("info", {})
        own = re.fullmatch(r"([a-z0-9-]+)/(\w+)/v\d+", str(document.get("x-levada-contract", "")))
        version = re.match(r"\d{1,4}(\.\d{1,4})?", str(info.get("version", "")))
        self.module = Module(
            name=name or (own[2] if own else class_name(str(info.get("title") or "Api"))),
            layer=document.get("x-levada-layer", "system"),
            domain=domain or (own[1] if own else "external"),
            version=version[0] if version else "1.0",
            doc=info.get("description", "") or str(info.get("title", "")),
        )
        if self.module.layer not in ("system", "process", "experience"):
            self.module.layer = "system"
        if own is None and domain is None:
            self.module.decide.append("owner: which domain owns this API")
        self.types = Types(document, self.module)
        self.problems: dict[str, str] = {}
        for path, item in document.get("paths", {}).items():
            for verb, operation in self.types.resolve(item).items():
                if verb in _VERBS:
                    self._operation(path, verb, operation, item.get("parameters", []), own is not None)

    def _operation(self, path: str, verb: str, given: dict[str, Any], shared: list[Any], own: bool) -> None:
        if re.search(r"[^/]\{|\}[^/]", path):
            self.module.notes.append(f"{verb.upper()} {path}: left out, a parameter is part of a segment")
            return
        said = str(given.get("operationId") or f"{verb} {path}")
        name = said if own and said.isidentifier() else snake_name(said)
        while any(m.name == name for m in self.module.methods):
            name += "_"
        made = Method(name, verb, path, [], "None", self._doc(given))
        for parameter in [*shared, *given.get("parameters", [])]:
            self._parameter(made, self.types.resolve(parameter))
        if "requestBody" in given:
            self._body(made, self.types.resolve(given["requestBody"]))
        self._answers(made, given)
        self._options(made, given)
        if (order := given.get("x-levada-order")) is not None:
            made.arguments.sort(key=lambda a: order.index(a.name) if a.name in order else len(order))
        self.module.methods.append(made)

    def _doc(self, given: dict[str, Any]) -> str:
        summary, more = str(given.get("summary") or ""), str(given.get("description") or "")
        return more if more.startswith(summary) else f"{summary}\n\n{more}".strip()

    def _parameter(self, made: Method, given: dict[str, Any]) -> None:
        name, place = str(given.get("name", "")), given.get("in")
        if place not in ("path", "query"):
            if name.lower() != "idempotency-key":
                self.module.notes.append(f"{made.name}: the {place} parameter {name} is left out")
            return
        python = snake_name(name)
        if python != name and place == "path":
            made.path = made.path.replace("{" + name + "}", "{" + python + "}")
        elif python != name:
            self.module.notes.append(
                f"{made.name}: the query parameter {name} cannot be named in Python; left out"
            )
            return
        schema = given.get("x-levada-schema") or given.get("schema") or {"type": "string"}
        type_ = self.types.of(schema, f"{made.name}_{name}")
        default: str | None = None
        if place == "query" and not given.get("required"):
            simple = given.get("schema", {})
            default = self.types.default(simple["default"], type_) if "default" in simple else "None"
            if default == "None" and "None" not in type_:
                type_ += " | None"
        made.arguments.append(Field(python, type_, default))

    def _body(self, made: Method, given: dict[str, Any]) -> None:
        content: dict[str, Any] = given.get("content", {})
        json = next((c for k, c in content.items() if "json" in k), None)
        if json is None:
            made.arguments.append(Field("content", "bytes"))
            return
        if made.verb in ("get", "delete"):
            self.module.notes.append(f"{made.name}: a body with {made.verb.upper()} is left out")
            return
        schema: dict[str, Any] = json.get("schema", {})
        whole = given.get("x-levada-parameter")
        if whole is not None:
            made.arguments.append(Field(whole, self.types.of(schema, f"{made.name}_body")))
            return
        inner = self.types.resolve(schema)
        # Levada's own body of several members is a class only on the wire.
        if str(inner.get("title", "")).endswith("Body") and inner.get("additionalProperties") is False:
            made.arguments += self.types.fields(inner, made.name)
            return
        made.arguments.append(Field("body", self.types.of(schema, f"{made.name}_body")))

    def _answers(self, made: Method, given: dict[str, Any]) -> None:
        raises: list[str] = []
        for status, answer in given.get("responses", {}).items():
            found = self.types.resolve(answer)
            content: dict[str, Any] = found.get("content", {})
            if str(status).startswith("2"):
                if made.result == "None":
                    self._success(made, int(status) if str(status).isdigit() else 200, found, given)
                continue
            for one in content.values():
                schema = one.get("schema", {})
                raises += [p for s in schema.get("anyOf", [schema]) if (p := self._problem(s)) is not None]
        if raises:
            made.options["raises"] = f"[{', '.join(dict.fromkeys(raises))}]"

    def _success(self, made: Method, status: int, found: dict[str, Any], given: dict[str, Any]) -> None:
        content: dict[str, Any] = found.get("content", {})
        json = next((c for k, c in content.items() if k.split(";")[0].endswith("json")), None)
        hint = f"{made.name}_result"
        if "x-levada-line" in found:
            made.stream = True
            made.result = self.types.of(found["x-levada-line"]["oneOf"][0]["properties"]["item"], hint)
        elif json is not None and given.get("x-levada-shape") == "page":
            page = self.types.resolve(json["schema"])
            made.result = f"Page[{self.types.of(page['properties']['items']['items'], hint)}]"
        elif json is not None:
            made.result = self.types.of(json.get("schema", {}), hint)
        elif content:
            made.result = "bytes"
        if status != (204 if made.result == "None" else 200):
            made.options["status"] = str(status)

    def _problem(self, schema: dict[str, Any]) -> str | None:
        found = self.types.resolve(schema)
        code = found.get("x-levada-problem")
        if code is None:
            return None
        if code in self.problems:
            return self.problems[code]
        name = self.problems[code] = self.types.take(str(found.get("title") or code))
        skip = ("type", "title", "status", "detail")
        own = {k: v for k, v in found["properties"].items() if k not in skip}
        fields = self.types.fields({"properties": own, "required": found.get("required", [])}, name)
        status = int(found["properties"]["status"]["const"])
        self.module.problems.append(
            ProblemClass(
                name, status, fields, found.get("description", ""), found.get("x-levada-detail"), code
            )
        )
        return name

    def _options(self, made: Method, given: dict[str, Any]) -> None:
        scopes = sorted({s for need in given.get("security", []) for some in need.values() for s in some})
        if scopes:
            made.options["scopes"] = f"[{', '.join(quoted(s) for s in scopes)}]"
        for word in ("durable", "final"):
            if given.get(f"x-levada-{word}") is True:
                made.options[word] = "True"
        if isinstance(tool := given.get("x-levada-tool"), str):
            made.options["tool"] = quoted(tool)
        if isinstance(seconds := given.get("x-levada-timeout"), int | float):
            made.options["timeout"] = repr(seconds)
