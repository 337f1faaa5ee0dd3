"""A shop whose orders tell of persons: in events, in arguments, in results, in reasons."""

from datetime import timedelta

from msgspec import Struct

from levada import (
    FORGOTTEN,
    Awaits,
    Event,
    OrderKey,
    Personal,
    ProcessAPI,
    Publishes,
    SystemAPI,
    effect,
    handles,
    http,
    resource,
    run,
    undoes,
)
from levada.connect.sql import Database

NAME, MAIL, PAYER, STREET = "Ingrid Überall", "ingrid@example.org", "Otto Zahlemann", "Gasse 17 b"
SECRETS = (NAME, MAIL, PAYER, STREET)


class NewOrder(Struct, frozen=True):
    order: str
    customer: str
    name: Personal[str, "customer"]
    mail: Personal[str, "customer"]


class Address(Struct, frozen=True):
    customer: str
    street: Personal[str, "customer"]


class Letter(Struct, frozen=True):
    id: str
    text: str


class Placed(Event, version="1.0", domain="shop"):
    order: OrderKey[str]
    customer: str
    name: Personal[str, "customer"]
    mail: Personal[str | None, "customer"] = None


class Paid(Event, version="1.0", domain="shop"):
    order: OrderKey[str]
    payer_id: str
    payer: Personal[str, "payer_id"]


class Closed(Event, version="1.0", domain="shop"):
    order: OrderKey[str]
    customer: str
    name: Personal[str, "customer"]


class Moved(Event, version="1.0", domain="shop"):
    customer: OrderKey[str]
    street: Personal[str, "customer"]


class Post(SystemAPI, domain="shop", version="1.0"):
    """Sends letters."""

    @http.get("/addresses/{customer}")
    async def address(self, customer: str) -> Address:
        """Where somebody lives."""
        return Address(customer, STREET)

    @http.post("/letters")
    @effect.passes_key
    async def send(self, to: str, text: str) -> Letter:
        """Send one. Its contract does not say that this is personal."""
        sent.append(to)
        return Letter(f"l-{len(sent)}", f"Dear {to}: {text}")

    @http.delete("/letters/{id}", final=True)
    @effect.passes_key
    async def recall(self, id: str, to: str) -> str:
        """Recall one."""
        recalled.append(to)
        return id

    @undoes(send)
    async def undo_send(self, sent_: Letter) -> None:
        await self.recall(sent_.id, sent_.text)


sent: list[str] = []
recalled: list[str] = []
seen: list[str] = []


class Orders(ProcessAPI, domain="shop", version="1.0"):
    """Orders."""

    post: Post
    placed: Publishes[Placed]
    paid: Publishes[Paid]
    closed: Publishes[Closed]
    payment: Awaits[Paid]

    @http.post("/orders", status=202)
    async def place(self, order: NewOrder) -> NewOrder:
        """Place."""
        await self.placed(
            Placed(order=order.order, customer=order.customer, name=order.name, mail=order.mail)
        )
        return order

    @http.post("/payments", status=202)
    async def pay(self, order: str, payer_id: str, payer: str) -> None:
        """Pay."""
        await self.paid(Paid(order=order, payer_id=payer_id, payer=payer))

    @http.post("/durably", durable=True)
    async def durably(self, order: NewOrder) -> str:
        """A run that a call begins."""
        letter = await self.post.send(order.name, order.mail)
        return letter.text

    @handles(Placed)
    async def fulfil(self, placed: Placed) -> None:
        """Fulfil."""
        seen.append(placed.name)
        if placed.name == FORGOTTEN:
            return
        await self.post.send(placed.name, f"order for {placed.mail}")
        address = await self.post.address(placed.customer)
        await self.post.send(address.street, "second")
        paid = await self.payment(key=placed.order, timeout=timedelta(days=1))
        if paid is None:
            raise run.Compensate(f"{placed.name} at {placed.mail} did not pay")
        await run.gather(self.post.send(paid.payer, "thanks"), self.post.send(placed.name, "thanks"))
        await self.closed(Closed(order=placed.order, customer=placed.customer, name=placed.name))


class Movers(SystemAPI, domain="shop", version="1.0", name="Movers"):
    """Keeps addresses in a database of its own."""

    db: Database = resource("movers")
    moved: Publishes[Moved]

    @http.post("/moves", final=True)
    @effect.table
    async def move(self, customer: str, street: str) -> str:
        """Move."""
        async with self.db.begin() as tx:
            await self.moved(Moved(customer=customer, street=street), tx)
        return customer
