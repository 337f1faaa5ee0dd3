"""What both ERPs do with the pieces of an order."""

from examples.order_to_cash.contracts import Piece

__all__ = ["by_product"]


def by_product(pieces: tuple[Piece, ...]) -> dict[str, int]:
    """Pieces by product, in the order of products: a product that stands twice is reserved once."""
    wanted: dict[str, int] = {}
    for piece in sorted(pieces, key=lambda p: p.product):
        wanted[piece.product] = wanted.get(piece.product, 0) + piece.quantity
    return wanted
