"""What no checker has to find: the class itself refuses it when it is made."""

from abc import abstractmethod

import pytest

from levada import Event, SystemAPI, http, undoes
from levada.contract import ContractError


def test_a_wrong_undo_signature():
    with pytest.raises(ContractError, match="result"):

        class Holds(SystemAPI, domain="sales", version="1.0"):
            @http.post("/holds/{id}")
            @abstractmethod
            async def hold(self, id: str, amount: int) -> str: ...

            @undoes(hold)  # type: ignore[arg-type]
            async def undo_hold(self, held: str, other: str) -> None: ...


def test_a_misspelt_class_keyword():
    with pytest.raises(TypeError, match="vresion"):

        class Holds(SystemAPI, domain="sales", vresion="1.0"): ...  # type: ignore[call-arg]

    with pytest.raises(ContractError, match="vresion"):

        class Held(Event, vresion="1.0"): ...  # type: ignore[call-arg]


def test_a_missing_operation():
    class Holds(SystemAPI, domain="sales", version="1.0"):
        @http.get("/holds/{id}")
        @abstractmethod
        async def hold(self, id: str) -> str: ...

    with pytest.raises(ContractError, match="left out"):

        class Adapter(Holds): ...
