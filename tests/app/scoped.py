"""Three layers whose operations need scopes, for the matrix of who may what.

Run as a program it serves some of them: ``python scoped.py PARTS BIND``; it prints its port.
"""

import asyncio
import json
import sys
from abc import abstractmethod

from levada import App, ExperienceAPI, ProcessAPI, Settings, SystemAPI, http
from levada.contract.standard import Forbidden

SECRET = "a secret of the tests that is long enough for HS256"


class Vault(SystemAPI, domain="bank", version="1.0"):
    """Doors that need scopes."""

    @http.get("/free")
    @abstractmethod
    async def free(self) -> str: ...

    @http.get("/a", scopes=["a"], raises=[Forbidden])
    @abstractmethod
    async def a(self) -> str: ...

    @http.get("/b", scopes=["b"], raises=[Forbidden])
    @abstractmethod
    async def b(self) -> str: ...

    @http.get("/ab", scopes=["a", "b"], raises=[Forbidden])
    @abstractmethod
    async def ab(self) -> str: ...


class IronVault(Vault):
    async def free(self) -> str:
        return "free"

    async def a(self) -> str:
        return "a"

    async def b(self) -> str:
        return "b"

    async def ab(self) -> str:
        return "ab"


class Clerk(ProcessAPI, domain="bank", version="1.0"):
    """Opens doors for others."""

    @http.get("/free", raises=[Forbidden])
    @abstractmethod
    async def free(self, door: str) -> str: ...

    @http.get("/a", scopes=["a"], raises=[Forbidden])
    @abstractmethod
    async def a(self, door: str) -> str: ...


class BankClerk(Clerk):
    vault: Vault

    async def free(self, door: str) -> str:
        doors = {"free": self.vault.free, "a": self.vault.a, "b": self.vault.b, "ab": self.vault.ab}
        return await doors[door]()

    async def a(self, door: str) -> str:
        return await self.free(door)


class Desk(ExperienceAPI, domain="bank", version="1.0"):
    """Where customers ask."""

    clerk: Clerk

    @http.get("/free", raises=[Forbidden])
    async def free(self, clerk: str, door: str) -> str:
        return await (self.clerk.a(door) if clerk == "a" else self.clerk.free(door))

    @http.get("/b", scopes=["b"], raises=[Forbidden])
    async def b(self, clerk: str, door: str) -> str:
        return await self.free(clerk, door)


PARTS = {"vault": IronVault, "clerk": BankClerk, "desk": Desk}


def build(parts: list[str], bind: dict[str, str]) -> App:
    return App(*(PARTS[p] for p in parts), bind=bind, settings=Settings(environment="test", identity=SECRET))


if __name__ == "__main__":
    from arranged import serve

    asyncio.run(serve(build(json.loads(sys.argv[1]), json.loads(sys.argv[2])), "httptools"))
