"""What an API or an event promises: operations, types, problems, versions."""

from levada.contract import effect, http
from levada.contract._version import Version
from levada.contract.api import API, Contract, ExperienceAPI, ProcessAPI, SystemAPI, contract_of, is_contract
from levada.contract.effect import Effect
from levada.contract.errors import ContractError, ModelError, TypeNotFound
from levada.contract.event import Event, EventType, event_type
from levada.contract.handlers import Handler, handles
from levada.contract.implementation import Dependency, Implementation, implementation_of
from levada.contract.marks import blocking, coalesced
from levada.contract.operation import Operation, Parameter, Undo
from levada.contract.ports import Awaits, Publishes, ResourceRef, Transaction, named, resource
from levada.contract.problem import Problem
from levada.contract.types import FORGOTTEN, OrderKey, Page, Personal
from levada.contract.undo import undoes
from levada.contract.upcast import upcaster

__all__ = [
    "API",
    "FORGOTTEN",
    "Awaits",
    "Contract",
    "ContractError",
    "Dependency",
    "Effect",
    "Event",
    "EventType",
    "ExperienceAPI",
    "Handler",
    "Implementation",
    "ModelError",
    "Operation",
    "OrderKey",
    "Page",
    "Parameter",
    "Personal",
    "Problem",
    "ProcessAPI",
    "Publishes",
    "ResourceRef",
    "SystemAPI",
    "Transaction",
    "TypeNotFound",
    "Undo",
    "Version",
    "blocking",
    "coalesced",
    "contract_of",
    "effect",
    "event_type",
    "handles",
    "http",
    "implementation_of",
    "is_contract",
    "named",
    "resource",
    "undoes",
    "upcaster",
]
