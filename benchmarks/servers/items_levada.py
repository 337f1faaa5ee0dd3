"""GET and POST of JSON with Levada."""

from decimal import Decimal

from msgspec import Struct

from levada import App, Problem, ProcessAPI, Settings, http

SECRET = "a secret of the benchmark that is long enough"


class Item(Struct, frozen=True):
    id: str
    name: str
    price: Decimal
    quantity: int
    tags: tuple[str, ...]


class ItemNotFound(Problem, status=404, detail="No item {id}."):
    """No item has this id."""

    id: str


class Items(ProcessAPI, domain="bench", version="1.0"):
    """Items."""

    @http.get("/items/{id}", raises=[ItemNotFound], scopes=["items:read"])
    async def item(self, id: str) -> Item:
        return Item(id, "Regency teacake plates", Decimal("10.50"), 3, ("green", "set"))

    @http.post("/items", scopes=["items:write"])
    async def add(self, item: Item) -> Item:
        return item


app = App(Items, settings=Settings(environment="bench", identity=SECRET))
