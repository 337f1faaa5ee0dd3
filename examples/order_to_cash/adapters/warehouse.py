"""The warehouse: order files go in over SFTP, dispatch files come out minutes later."""

import asyncio
import contextlib
import csv
import io
import logging

from examples.order_to_cash.contracts import Dispatched, Piece, Warehouse

from levada import Publishes, effect, resource
from levada.connect.errors import ConnectError
from levada.connect.files import Drop, HalfWritten, Taken
from levada.store import StoreError

log = logging.getLogger("order_to_cash.warehouse")


class SftpWarehouse(Warehouse):
    """Writes each order file once, whole, and picks each dispatch file up once."""

    inbox: Drop = resource("warehouse_in")
    outbox: Drop = resource("warehouse_out")
    told: Publishes[Dispatched]

    def __init__(self) -> None:
        self._picking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to pick up dispatch files."""
        self._picking = asyncio.create_task(self._pick(), name="warehouse pick-up")

    async def stop(self) -> None:
        """Stop picking up; a file under way is finished or put back."""
        if self._picking is not None:
            self._picking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._picking

    @effect.passes_key
    async def dispatch(self, order: str, account: str, country: str, pieces: tuple[Piece, ...]) -> None:
        # The name is the key: the same file again is no second order.
        await self.inbox.deliver(f"{order}.csv", order_file(order, account, country, pieces))

    async def _pick(self) -> None:
        while True:
            try:
                async for file in self.outbox.pick_up():
                    await self._take(file)
            except (ConnectError, StoreError) as error:
                log.warning("a dispatch file was put back", extra={"error": str(error)})
                await asyncio.sleep(1)

    async def _take(self, file: Taken) -> None:
        """Tell of one file. No file, whatever is in it, keeps the others from being picked up."""
        try:
            async with file:
                await self.told(dispatched(file.name, await file.read()))
        except HalfWritten:
            log.info("dispatch file not whole yet, put back", extra={"file": file.name})
        except (ValueError, IndexError, csv.Error) as error:
            # It lies in the folder for failed files, with the reason beside it.
            log.error("not a dispatch file", extra={"file": file.name, "error": str(error)})


def order_file(order: str, account: str, country: str, pieces: tuple[Piece, ...]) -> bytes:
    """An order as the warehouse reads it: head, lines, and an end line that counts them."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["H", order, account, country])
    writer.writerows(["L", p.line, p.product, p.quantity] for p in pieces)
    writer.writerow(["E", len(pieces)])
    return out.getvalue().encode()


def dispatched(name: str, content: bytes) -> Dispatched:
    """The event of a dispatch file.

    Raises:
        HalfWritten: Its end line is not there yet.
        ValueError: It is no dispatch file.
    """
    rows = list(csv.reader(io.StringIO(content.decode())))
    if not rows or not rows[-1] or rows[-1][0] != "E" or int(rows[-1][1]) != len(rows) - 2:
        raise HalfWritten(resource="warehouse_out", file=name)
    kind, dispatch, order, part, parts = rows[0]
    if kind != "H":
        raise ValueError(f"{name} does not begin with a head line")
    return Dispatched(order=order, dispatch=dispatch, part=int(part), parts=int(parts))
