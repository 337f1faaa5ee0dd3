"""An OpenAPI 3 document, Levada's own or any other, as a contract module."""

from __future__ import annotations

import re
from typing import Any

from levada.contract._generate.model import Method, Module, ProblemClass, class_name, snake_name
from levada.contract._generate.names import method_name
from levada.contract._generate.parameters import LeftOut, take_body, take_parameter
from levada.contract._generate.schema_types import Types
from levada.contract._generate.schemas import TRACE
from levada.contract._generate.text import quoted
from levada.contract.errors import ModelError

__all__ = ["NotOpenApi", "read"]

_VERBS = ("get", "post", "put", "patch", "delete")
_FOREIGN_PROBLEMS = {
    400: "Malformed",
    404: "Missing",
    409: "Conflicting",
    410: "Gone",
    412: "Outdated",
    422: "Refused",
}
"""What a foreign service's own answers are named: the network's problems have the standard's names."""
_PAGING = frozenset(
    {
        "after",
        "before",
        "cursor",
        "limit",
        "next_token",
        "offset",
        "page",
        "pagesize",
        "page_size",
        "page_token",
        "pagetoken",
    }
    | {"per_page", "perpage", "size", "skip", "start", "starting_after", "top"}
)


class NotOpenApi(ModelError, code="LV1120"):
    """{place}: {reason} {mend}

    The document is not OpenAPI 3 in JSON, or says something that no contract can be made of.
    """


def read(document: dict[str, Any], *, name: str | None = None, domain: str | None = None) -> Module:
    """The module of a document.

    Args:
        document: OpenAPI 3.0 or 3.1, decoded; references lead into it.
        name: The contract's class; default: from the title.
        domain: Default: Levada's own document tells, else ``external``, to be decided.

    Raises:
        NotOpenApi: It is another kind of document.
    """
    if not str(document.get("openapi", "")).startswith("3."):
        old = "It is Swagger 2: convert it first. " if "swagger" in document else ""
        raise NotOpenApi(
            place="The document",
            reason="it has no `openapi: 3.x`",
            mend=f"{old}Give the address of an OpenAPI 3 document, for example https://host/sales/customers/v1/openapi.json",
        )
    return _Reader(document, name, domain).module


class _Reader:
    def __init__(self, document: dict[str, Any], name: str | None, domain: str | None) -> None:
        info: dict[str, Any] = _table(document.get("info"))
        own = re.fullmatch(r"([a-z0-9-]+)/(\w+)/v\d+", str(document.get("x-levada-contract", "")))
        self.own = own is not None
        self.module = Module(
            name=name or (own[2] if own else _title(info)),
            layer=str(document.get("x-levada-layer", "system")),
            domain=domain or (own[1] if own else "external"),
            version=_version(str(info.get("version", ""))),
            doc=str(info.get("description") or info.get("title") or ""),
        )
        if self.module.layer not in ("system", "process", "experience"):
            self.module.layer = "system"
        if own is None and domain is None:
            self.module.decide.append("owner: the domain that owns this API")
        self.types = Types(document, self.module, own=self.own)
        self.problems: dict[str, str] = {}
        for path, item in _table(document.get("paths")).items():
            found = self.types.resolve(item)
            for verb in _VERBS:
                if isinstance(found.get(verb), dict):
                    operation = self.types.resolve(found[verb])
                    self._operation(str(path), verb, operation, _list(found.get("parameters")))
            for verb in ("head", "options", "trace", "query"):
                if verb in found:
                    self.module.notes.append(
                        f"{verb.upper()} {path}: left out, contracts have no {verb.upper()}"
                    )
        if not self.own:
            self.module.prune()

    def _operation(self, path: str, verb: str, given: dict[str, Any], shared: list[Any]) -> None:
        said = str(given.get("operationId") or f"{verb} {path}")
        name = said if self.own and said.isidentifier() else method_name(_short(said), self.module)
        made = Method(name, verb, path, [], "None", self._doc(given))
        try:
            self._parameters(made, given, shared)
            if "requestBody" in given:
                take_body(made, self.types.resolve(given["requestBody"]), self.types)
            self._answers(made, given)
        except LeftOut as reason:
            self.module.notes.append(f"{verb.upper()} {path}: left out, {reason}")
            return
        self._options(made, given)
        if (order := given.get("x-levada-order")) is not None:
            made.arguments.sort(key=lambda a: order.index(a.name) if a.name in order else len(order))
        self.module.methods.append(made)

    def _parameters(self, made: Method, given: dict[str, Any], shared: list[Any]) -> None:
        if bad := re.search(r"[^/]\{|\}[^/]|//|[ ?#%]", made.path):
            raise LeftOut(
                "a parameter is part of a segment"
                if "{" in bad[0] or "}" in bad[0]
                else "its path is not plain"
            )
        if not made.path.startswith("/"):
            raise LeftOut("its path does not begin with /")
        both = [self.types.resolve(p) for p in [*shared, *_list(given.get("parameters"))]]
        # What the operation says of a parameter goes before what its path says.
        last = {(str(p.get("in")), str(p.get("name"))): p for p in both}
        for parameter in last.values():
            take_parameter(made, parameter, self.types)
        for name in re.findall(r"\{([^}]*)\}", made.path):
            if not any(a.name == name for a in made.arguments):
                take_parameter(made, {"name": name, "in": "path"}, self.types)
        names = re.findall(r"\{([^}]*)\}", made.path)
        if len(set(names)) < len(names):
            raise LeftOut("its path has one parameter twice")
        if any(
            re.sub(r"\{[^}]*\}", "{}", m.path) == re.sub(r"\{[^}]*\}", "{}", made.path)
            and m.verb == made.verb
            for m in self.module.methods
        ):
            raise LeftOut("another operation has the same path but for the names in it")

    def _doc(self, given: dict[str, Any]) -> str:
        summary, more = str(given.get("summary") or ""), str(given.get("description") or "")
        return more if more.startswith(summary) else f"{summary}\n\n{more}".strip()

    def _answers(self, made: Method, given: dict[str, Any]) -> None:
        raises: list[str] = []
        answers = {str(k): self.types.resolve(v) for k, v in _table(given.get("responses")).items()}
        good = [k for k in answers if k.startswith("2")]
        for status in sorted(good, key=lambda k: not _table(answers[k].get("content")))[:1] or [
            k for k in answers if k == "default"
        ]:
            code = int(status) if status.isdigit() else 200
            self._success(made, code, answers[status], given)
        for status, found in answers.items():
            if status in good:
                continue
            schemas = [_table(c).get("schema") or {} for c in _table(found.get("content")).values()]
            declared = [
                p
                for s in schemas
                if isinstance(s, dict)
                for each in s.get("anyOf", [s])
                if (p := self._problem(each)) is not None
            ]
            raises += declared
            if not self.own and not declared and status.isdigit() and int(status) in _FOREIGN_PROBLEMS:
                raises.append(self._foreign(int(status)))
        if raises:
            made.options["raises"] = f"[{', '.join(dict.fromkeys(raises))}]"

    def _success(self, made: Method, status: int, found: dict[str, Any], given: dict[str, Any]) -> None:
        content: dict[str, Any] = _table(found.get("content"))
        json = next(
            (c for k, c in content.items() if k.split(";")[0].strip().endswith(("json", "*/*"))), None
        )
        hint = f"{made.name}_result"
        if "x-levada-line" in found:
            made.stream = True
            made.result = self.types.of(found["x-levada-line"]["oneOf"][0]["properties"]["item"], hint)
        elif json is not None and given.get("x-levada-shape") == "page":
            page = self.types.resolve(json["schema"])
            made.result = f"Page[{self.types.of(page['properties']['items']['items'], hint)}]"
        elif json is not None:
            made.result = self.types.of(_table(json).get("schema") or {}, hint)
        elif content:
            made.result = "bytes"
        if status != (204 if made.result == "None" else 200):
            made.options["status"] = str(status)

    def _foreign(self, status: int) -> str:
        """A problem for a status that a foreign service answers with; its document is the service's own matter."""
        key = str(status)
        if key not in self.problems:
            name = self.problems[key] = self.types.taken.take(_FOREIGN_PROBLEMS[status])
            self.module.problems.append(
                ProblemClass(name, status, [], f"The service answered with {status}.")
            )
        return self.problems[key]

    def _problem(self, schema: Any) -> str | None:
        found = self.types.resolve(schema)
        code = found.get("x-levada-problem")
        if code is None:
            return None
        if code in self.problems:
            return self.problems[code]
        name = self.problems[code] = self.types.taken.take(str(found.get("title") or code))
        skip = ("type", "title", "status", "detail")
        own = {k: v for k, v in found["properties"].items() if k not in skip and TRACE not in v}
        fields = self.types.fields({"properties": own, "required": found.get("required", [])}, name)
        status = int(found["properties"]["status"]["const"])
        self.module.problems.append(
            ProblemClass(
                name, status, fields, found.get("description", ""), found.get("x-levada-detail"), code
            )
        )
        return name

    def _options(self, made: Method, given: dict[str, Any]) -> None:
        if not self.own:
            # Scopes of a foreign service are its own matter: the binding's credential has them or not.
            self._decisions(made)
            return
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

    def _decisions(self, made: Method) -> None:
        if made.verb != "get":
            made.decide.append(f"undo: write @undoes({made.name}) below it, or say final=True")
            return
        paging = [a.name for a in made.arguments if a.name.lower() in _PAGING]
        if paging:
            made.decide.append(f"paging: by {', '.join(paging)}, in the service's own way")


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _title(info: dict[str, Any]) -> str:
    title = re.sub(
        r"(?i)\b(rest|public|web|http|open)?\s*api\b|\bswagger\b|\bopenapi\b|[-–(].*| \d.*",
        "",
        str(info.get("title") or ""),
    )
    made = class_name(snake_name(title)) if title.strip() else "Api"
    return made if made.isidentifier() else "Api"


def _version(said: str) -> str:
    """The document's version, or 1.0 where that is a date or none: the major stands in the path."""
    found = re.fullmatch(r"v?(\d{1,3})(?:\.(\d{1,4}))?(?:[.\-+].*)?", said)
    return f"{found[1]}.{found[2] or 0}" if found else "1.0"


def _short(said: str) -> str:
    """An operation's name of at most eight words."""
    return "_".join(snake_name(said).split("_")[:8])
