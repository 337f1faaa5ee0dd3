"""Types that a contract may use besides msgspec's own: keys, personal data, pages."""

from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from msgspec import Struct

__all__ = ["FORGOTTEN", "OrderKey", "OrderKeyMark", "Page", "Personal", "PersonalMark"]

T = TypeVar("T")


class OrderKeyMark:
    """Marks the field whose value keeps events in order."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "OrderKey"


OrderKey = Annotated[T, OrderKeyMark()]
"""The field that events are ordered by: those with one value are handled in the order published."""


FORGOTTEN = "[forgotten]"
"""What a required personal field of type ``str`` reads as once its subject was forgotten."""


class PersonalMark(Struct, frozen=True):
    """Marks personal data; ``subject`` names the field that tells whose it is."""

    subject: str


if TYPE_CHECKING:
    from typing import Annotated as Personal
else:

    class Personal:
        """``Personal[str, "customer_id"]``: personal data of the subject in that field.

        It is masked wherever people look, and stored encrypted with a key of the
        subject, who can so be exported or forgotten. Once forgotten, the field reads as
        its default; without one as None where its type has it, else as :data:`FORGOTTEN`.
        """

        def __class_getitem__(cls, item: Any) -> Any:
            """The annotated type; two arguments: the type and the subject's field."""
            if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], str)):
                raise TypeError(
                    'Personal takes a type and the field that names its subject: Personal[str, "customer_id"]'
                )
            return Annotated[item[0], PersonalMark(item[1])]


class Page(Struct, Generic[T], frozen=True):
    """One page of a longer list.

    ``next`` is the cursor of the next page, to be passed back as it is, or None on
    the last page.
    """

    items: tuple[T, ...]
    next: str | None = None
