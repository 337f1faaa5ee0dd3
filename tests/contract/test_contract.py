"""The rules of the model, checked when a class is made: each error names place, reason and mend."""

import subprocess
import sys
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta, Struct

from levada import (
    Awaits,
    Event,
    ExperienceAPI,
    OrderKey,
    Personal,
    Problem,
    ProcessAPI,
    Publishes,
    SystemAPI,
    coalesced,
    effect,
    handles,
    http,
    named,
    undoes,
)
from levada.contract import ContractError, TypeNotFound, contract_of, event_type, implementation_of
from levada.contract.personal import of_value, takes_personal


class Customer(Struct, frozen=True):
    id: str
    name: str
    limit: Decimal


class Hold(Struct, frozen=True):
    id: str
    amount: Decimal


class CustomerNotFound(Problem, status=404, detail="No customer {id}."):
    """No customer has this id."""

    id: str


class Customers(SystemAPI, domain="sales", version="2.1"):
    """Customers of record."""

    @http.get("/customers/{id}", raises=[CustomerNotFound])
    @abstractmethod
    async def customer(self, id: str) -> Customer:
        """The customer with this id."""

    @http.post("/customers/{id}/holds", status=201)
    @abstractmethod
    async def hold(self, id: str, amount: Decimal) -> Hold:
        """Reserve part of the customer's credit."""

    @http.delete("/holds/{id}")
    @abstractmethod
    async def release(self, id: str) -> None:
        """Give a hold back."""

    @http.get("/customers")
    @abstractmethod
    def every(self, country: str | None = None) -> AsyncIterator[Customer]:
        """All of them."""

    @undoes(hold)
    async def undo_hold(self, held: Hold) -> None:
        await self.release(held.id)


class Ticked(Event, version="1.0"):
    at: str


class OrderPlaced(Event, version="1.0"):
    order_id: OrderKey[str]
    customer_id: str
    email: Personal[str, "customer_id"] = ""  # noqa: F821 - names a field


class Orders(ProcessAPI, domain="sales", version="1.0"):
    """Orders."""

    @http.post("/orders", status=202, scopes=["orders:write"])
    @abstractmethod
    async def place(self, order: Customer) -> Hold:
        """Place an order."""


def error(made) -> str:
    with pytest.raises(ContractError) as caught:
        made()
    text = str(caught.value)
    assert text.startswith("LV11")
    return text


def test_a_contract_knows_its_identity_and_its_operations():
    contract = contract_of(Customers)
    assert (contract.id, contract.path) == ("sales/Customers/v2", "/sales/customers/v2")
    hold = contract.operations["hold"]
    assert [(p.name, p.place) for p in hold.parameters] == [("id", "path"), ("amount", "member")]
    assert (hold.status, contract.operations["release"].status) == (201, 204)
    assert hold.undo is not None
    assert hold.undo.method == "undo_hold"
    assert contract.operations["every"].shape == "stream"
    assert contract.operations["every"].parameters[0].place == "query"


def test_digests_tell_what_consumers_rely_on():
    class Same(SystemAPI, domain="sales", version="2.4", name="Customers"):
        @http.get("/customers/{id}", raises=[CustomerNotFound])
        @abstractmethod
        async def customer(self, id: str) -> Customer:
            """Other words change nothing."""

    class Other(SystemAPI, domain="sales", version="2.1", name="Customers"):
        @http.get("/customers/{id}")
        @abstractmethod
        async def customer(self, id: str) -> Customer: ...

    digest = contract_of(Customers).operations["customer"].digest()
    assert contract_of(Same).operations["customer"].digest() == digest
    assert contract_of(Other).operations["customer"].digest() != digest


def test_an_event_knows_its_topic_its_key_and_whose_data_it_carries():
    kind = event_type(OrderPlaced)
    assert (kind.type, kind.topic, kind.key, kind.personal) == (
        "sales.OrderPlaced",
        "sales.OrderPlaced.v1",
        "order_id",
        {"email": "customer_id"},
    )
    event = OrderPlaced(order_id="o-1", customer_id="c-1")
    assert kind.decode(kind.encode(event)) == event
    assert kind.key_of(event) == "o-1"
    with pytest.raises(AttributeError):
        event.order_id = "o-2"  # type: ignore[misc]


def test_an_implementation_lists_what_its_attributes_license():
    class Fulfilment(Orders):
        customers: Customers
        eu: Annotated[Customers, named("eu")]
        placed: Publishes[OrderPlaced]
        paid: Awaits[OrderPlaced]
        limit = 3

        async def place(self, order: Customer) -> Hold:
            return await self.customers.hold(order.id, order.limit)

        @handles(OrderPlaced)
        async def fulfil(self, order: OrderPlaced) -> None:
            await self.helper()

        @fulfil.version(1)
        async def fulfil_v1(self, order: OrderPlaced) -> None: ...

        async def helper(self) -> None:
            [await self.customers.release("h") for _ in range(2)]

    found = implementation_of(Fulfilment)
    assert {d.id for d in found.dependencies.values()} == {"sales/Customers/v2", "sales/Customers/v2@eu"}
    assert set(found.publishes) == {"placed"}
    assert set(found.awaits) == {"paid"}
    assert found.handlers["fulfil"].number == 2
    assert set(found.handlers["fulfil"].former) == {1}
    assert found.called == {("customers", "hold"), ("customers", "release")}
    assert found.steps == {("customers", "release")}


async def test_coalesced_calls_become_one_query_and_a_missing_key_is_none():
    import asyncio

    asked: list[list[str]] = []

    class Erp(Customers):
        async def customer(self, id: str) -> Customer:
            if (found := await self._many(id)) is None:
                raise CustomerNotFound(id=id)
            return found

        @effect.table
        async def hold(self, id: str, amount: Decimal) -> Hold:
            return Hold(id, amount)

        @effect.table
        async def release(self, id: str) -> None: ...

        async def every(self, country: str | None = None) -> AsyncIterator[Customer]:
            yield Customer("1", "n", Decimal(1))

        @coalesced
        async def _many(self, ids: Sequence[str]) -> Mapping[str, Customer]:
            asked.append(sorted(ids))
            await asyncio.sleep(0)
            return {i: Customer(i, "n", Decimal(1)) for i in ids if i != "x"}

    erp = Erp()
    results = await asyncio.gather(*(erp.customer(i) for i in "abcax"), return_exceptions=True)
    assert [r.id for r in results[:4]] == ["a", "b", "c", "a"]
    assert results[4] == CustomerNotFound(id="x")
    assert asked == [["a", "b", "c", "x"]]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('class A(SystemAPI, version="1.0"): ...', "a contract belongs to a domain"),
        ('class A(SystemAPI, domain="Sales Dept", version="1.0"): ...', "cannot stand in a path"),
        ('class A(SystemAPI, domain="s", version=1): ...', "version=1 is not a version"),
        ("class A(SystemAPI): ...", "it keeps no contract"),
        (
            'class A(SystemAPI, domain="s", version="1.0"):\n  @abstractmethod\n  async def f(self) -> int: ...',
            "has no HTTP shape",
        ),
        (
            'class A(SystemAPI, domain="s", version="1.0"):\n  @http.get("/a")\n  def f(self) -> int: ...',
            "it is not async",
        ),
        (
            'class A(SystemAPI, domain="s", version="1.0"):\n  @http.get("/a")\n  async def f(self): ...',
            "does not say what it returns",
        ),
        (
            'class A(SystemAPI, domain="s", version="1.0"):\n  @http.get("/a/{id}")\n  async def f(self) -> int: ...',
            "the path /a/{id} has {id}",
        ),
        (
            'class A(SystemAPI, domain="s", version="1.0"):\n  @http.get("/a")\n  async def f(self, c: Customer) -> int: ...',
            "travels in the query",
        ),
        (
            'class A(SystemAPI, domain="s", version="1.0"):\n  @http.get("/a")\n  async def f(self, a: str | None = "open") -> int: ...',
            "None cannot be told from 'open'",
        ),
        (
            'class A(SystemAPI, domain="s", version="1.0"):\n  @http.get("/a")\n  async def f(self, a: tuple[str, ...] = ("x",)) -> int: ...',
            "an empty list cannot be told from ('x',)",
        ),
        (
            'class A(SystemAPI, domain="s", version="1.0"):\n  @http.get("/a")\n  async def f(self, a: Sequence[str] | None = None) -> int: ...',
            "an empty list and None are the same there",
        ),
        (
            'class A(SystemAPI, domain="s", version="1.0"):\n  @http.get("/a")\n  async def f(self, c) -> int: ...',
            "has no type",
        ),
        (
            'class A(SystemAPI, domain="s", version="1.0"):\n  @http.get("/a")\n  async def f(self, *c: int) -> int: ...',
            "it takes *c",
        ),
        (
            'class A(SystemAPI, domain="s", version="1.0"):\n  @http.get("/a")\n  async def f(self) -> AsyncIterator[int]: ...',
            "a stream cannot be async def",
        ),
        (
            'class A(SystemAPI, domain="s", version="1.0"):\n  @http.get("/a")\n  async def f(self) -> int: ...\n  @http.get("/a")\n  async def g(self) -> int: ...',
            "are both GET /a",
        ),
        (
            'class A(SystemAPI, domain="s", version="1.0"):\n  @http.get("a")\n  async def f(self) -> int: ...',
            "is not one",
        ),
        (
            "class C(Customers):\n  async def customer(self, id: str) -> Customer: ...",
            "the operation is left out",
        ),
        (
            "class C(_Erp):\n  async def customer(self, key: str) -> Customer: ...",
            "the contract has customer",
        ),
        ("class C(_Erp):\n  def customer(self, id: str) -> Customer: ...", "it is not async"),
        ('class C(_Erp):\n  @http.get("/more")\n  async def more(self) -> int: ...', "adds no operations"),
        ("class C(_Erp):\n  async def undo_hold(self, held: Hold) -> None: ...", "is not overridden"),
        ('class C(_Erp, domain="x"):\n  pass', "domain= belongs to a contract"),
        ("class E(Event): \n  a: str", "needs a version"),
        ('class E(Event, version="1.0", vresion="2"):\n  a: str', "takes no class keyword vresion"),
        ("class P(Problem, status=200): ...", "is no error"),
        ("class P(Problem, status=400):\n  detail: str", "reserved by RFC 9457"),
        (
            'class A(ProcessAPI, domain="s", version="1.0"):\n  @http.post("/a")\n  async def f(self) -> int: ...\n  @undoes(f)\n  async def g(self) -> None: ...',
            "it takes 0 arguments",
        ),
        (
            'class A(ProcessAPI, domain="s", version="1.0"):\n  @http.get("/a")\n  async def f(self) -> int: ...\n  @undoes(f)\n  async def g(self, r: int) -> None: ...',
            "nothing to undo",
        ),
    ],
)
def test_a_broken_contract_is_refused_when_the_class_is_made(source, says):
    class _Erp(Customers):
        async def customer(self, id: str) -> Customer: ...
        async def hold(self, id: str, amount: Decimal) -> Hold: ...
        async def release(self, id: str) -> None: ...
        async def every(self, country: str | None = None) -> AsyncIterator[Customer]:
            yield Customer("1", "n", Decimal(1))

    text = error(lambda: exec(source, {**globals(), "_Erp": _Erp, "__name__": __name__}))
    assert says in text
    assert text.rstrip()[-1] in ".:?…"


@pytest.mark.parametrize(
    ("attribute", "says"),
    [
        ("customers: Customers | None", "would be no dependency"),
        ("customers: Erp", "is an implementation, not a contract"),
        ("count: int", "neither a contract, a port nor a resource"),
        ("placed: Publishes[Customer]", "is no event"),
        ("paid: Awaits[Ticked]", "Ticked has no order key"),
    ],
)
def test_an_attribute_that_is_nothing_known_is_an_error_never_ignored(attribute, says):
    class Erp(Customers):
        async def customer(self, id: str) -> Customer: ...
        async def hold(self, id: str, amount: Decimal) -> Hold: ...
        async def release(self, id: str) -> None: ...
        async def every(self, country: str | None = None) -> AsyncIterator[Customer]:
            yield Customer("1", "n", Decimal(1))

    source = f"class P(Orders):\n  {attribute}\n  async def place(self, order: Customer) -> Hold: ..."
    space = {**globals(), "Erp": Erp, "__name__": __name__}
    exec(source, space)
    assert says in error(lambda: implementation_of(space["P"]))


def test_layers_call_downwards_alone():
    class Bad(ExperienceAPI, domain="sales", version="1.0"):
        @http.get("/a")
        async def a(self) -> int: ...

    space = {**globals(), "Bad": Bad, "__name__": __name__}
    exec("class P(Orders):\n  bad: Bad\n  async def place(self, order: Customer) -> Hold: ...", space)
    assert "may not call the experience API" in error(lambda: implementation_of(space["P"]))


class Ledger:
    """No type that has a form as JSON."""


class Line(Struct, frozen=True):
    order: Ledger


class Book(Struct, frozen=True):
    lines: "tuple[Line, ...]"
    again: "Book | None" = None


def test_a_type_that_cannot_travel_is_named_with_the_way_to_it():
    def takes():
        class Api(SystemAPI, domain="x", version="1.0"):
            @http.post("/books")
            @abstractmethod
            async def keep(self, n: int, book: Book) -> int: ...

    def answers():
        class Api(SystemAPI, domain="x", version="1.0"):
            @http.get("/books")
            @abstractmethod
            async def kept(self) -> Mapping[str, complex]: ...

    def raises():
        class Lost(Problem, status=404):
            where: Ledger

        class Api(SystemAPI, domain="x", version="1.0"):
            @http.get("/books", raises=[Lost])
            @abstractmethod
            async def kept(self) -> int: ...

    def publishes():
        class Kept(Event, version="1.0", domain="x"):
            line: Line

        event_type(Kept)

    for make, said in (
        (
            takes,
            r"Api\.keep .*: its parameter book \(Book\.lines, Line\.order\) is a Ledger, which cannot travel",
        ),
        (
            answers,
            r"Api\.kept .*: its answer is a complex, which cannot travel: no such type is in JSON\. Make complex",
        ),
        (raises, r"Api\.kept .*: where of its problem Lost is a Ledger"),
        (publishes, r"Kept .*: its field line \(Line\.order\) is a Ledger"),
    ):
        with pytest.raises(ContractError, match=said):
            make()


class Wanted(Struct, frozen=True):
    by: tuple[str, ...] | Annotated[str, Meta(pattern="^a")]


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        (list[int] | Annotated[str, Meta(pattern="^a")], r"list\[int\] or str with pattern='\^a'"),
        (frozenset[str] | None | Annotated[str, Meta(pattern="^a")], r"frozenset\[str\] or str with"),
        (tuple[int, str] | Annotated[int, Meta(ge=0)], r"tuple\[int, str\] or int with ge=0"),
        (
            dict[str, list[tuple[int] | Annotated[str, Meta(min_length=1)]]],
            r"tuple\[int\] or str with min_length=1",
        ),
        (dict[str, int] | Annotated[str, Meta(pattern="^a")], r"dict\[str, int\] or str with"),
        (list | Annotated[str, Meta(pattern="^a")], r"list or str with"),
        (list[Wanted], r"its parameter by \(Wanted\.by\) may be tuple\[str, \.\.\.\]"),
    ],
)
def test_a_union_that_would_end_the_process_is_refused(hint, said):
    with pytest.raises(
        ContractError, match=rf"Api\.find \(.*test_contract\.py:\d+\).*{said}.*crashes.*Struct"
    ):

        class Api(SystemAPI, domain="x", version="1.0"):
            @http.post("/found", final=True)
            @abstractmethod
            async def find(self, by: hint) -> int: ...


def test_such_a_union_is_refused_in_a_query_too_and_what_is_near_is_not():
    with pytest.raises(ContractError, match="crashes on this pair"):

        class Api(SystemAPI, domain="x", version="1.0"):
            @http.get("/found")
            @abstractmethod
            async def find(self, by: tuple[str, ...] | Annotated[str, Meta(pattern="^a")]) -> int: ...

    class Near(SystemAPI, domain="x", version="1.0"):
        @http.post("/found", final=True)
        @abstractmethod
        async def find(
            self,
            a: list[int] | Annotated[str, Meta(min_length=1)],
            b: tuple[int, str] | int,
            c: list[Annotated[str, Meta(pattern="^a")]],
            d: tuple[Annotated[int, Meta(ge=0)], str] | None,
            e: dict[str, int] | Annotated[str, Meta(max_length=3)],
        ) -> int: ...


def test_msgspec_still_ends_the_process():
    """Where this fails, the refusal may go."""
    ends = "import gc, msgspec\nfrom typing import Annotated\n"
    ends += "hint = tuple[int, str] | Annotated[int, msgspec.Meta(ge=0)]\n"
    ends += "for _ in range(20): msgspec.json.Decoder(hint); gc.collect()"
    assert subprocess.run([sys.executable, "-c", ends], capture_output=True, check=False).returncode < 0


def test_a_type_that_cannot_be_found_names_the_mend():
    source = 'from __future__ import annotations\nclass A(SystemAPI, domain="s", version="1.0"):\n  @http.get("/a")\n  async def f(self) -> Missing: ...'
    with pytest.raises(TypeNotFound, match="Import or define it at the module's top level"):
        exec(source, {**globals(), "__name__": __name__})


def test_problems_are_equal_pickle_inherit_and_become_documents():
    import pickle

    class Blocked(CustomerNotFound, status=409):
        """The customer is blocked."""

        why: str = "unknown"

    problem = Blocked(id="c-1")
    assert (problem.status, problem.code, str(problem)) == (409, "blocked", "No customer c-1.")
    assert pickle.loads(pickle.dumps(CustomerNotFound(id="c-1"))) == CustomerNotFound(id="c-1")
    document = msgspec.json.decode(msgspec.json.encode(problem.document()))
    assert document == {
        "type": "urn:levada:problem:blocked",
        "title": "The customer is blocked.",
        "status": 409,
        "detail": "No customer c-1.",
        "id": "c-1",
        "why": "unknown",
    }
    assert Blocked.parse(document) == problem
    with pytest.raises(TypeError, match="has no field nme"):
        CustomerNotFound(nme="x")
    with pytest.raises(TypeError, match="lacks id"):
        CustomerNotFound()


class PersonalPlace(Struct):
    customer_id: str
    street: Personal[str, "customer_id"]  # noqa: F821 - names a field


def test_personal_data_inside_a_field_of_an_event_is_refused_not_stored_in_clear():
    class Moved(Event, version="1.0", domain="crm"):
        place: PersonalPlace

    with pytest.raises(ContractError, match="place holds personal data inside"):
        event_type(Moved)


def test_personal_data_is_found_in_lists_mappings_and_what_may_be_unset():
    class Person(Struct):
        id: str
        names: list[Personal[str, "id"]]
        notes: dict[str, Personal[str, "id"]]
        mail: Personal[str, "id"] | msgspec.UnsetType = msgspec.UNSET

    person = Person("p-1", ["Ada"], {"a": "b"}, "ada@example.org")
    found = [(one.kind, one.subject, one.value) for one in of_value(Person, person)]
    assert found == [("id", "p-1", ["Ada"]), ("id", "p-1", {"a": "b"}), ("id", "p-1", "ada@example.org")]


def test_a_result_that_is_personal_of_nobody_beside_it_is_refused():
    class People(SystemAPI, domain="crm", version="1.0"):
        @http.get("/names/{id}")
        async def name(self, id: str) -> Personal[str, "id"]:
            return id

    with pytest.raises(ContractError, match="the result of name"):
        takes_personal(contract_of(People).operations["name"])
