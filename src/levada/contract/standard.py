"""Problems that any operation may answer with; they need no declaration.

``fault`` says whose it is: the caller's, or the provider's. Declared problems are
neither: they are answers.
"""

from typing import Any, ClassVar, Literal

from levada.contract.problem import Problem

__all__ = [
    "STANDARD",
    "BadRequest",
    "Conflict",
    "DeadlineExceeded",
    "Forbidden",
    "InternalError",
    "KeyReused",
    "MethodNotAllowed",
    "NotFound",
    "NotSent",
    "PayloadTooLarge",
    "StandardProblem",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "UnsupportedMediaType",
    "fault_of",
]

Fault = Literal["caller", "declared", "provider"]


class StandardProblem(Problem, status=500, code="standard"):
    """A problem of the network itself."""

    fault: ClassVar[Fault] = "provider"

    def document(self) -> dict[str, Any]:
        """The document; the reason is its detail and stands there alone."""
        return {n: v for n, v in super().document().items() if n != "reason" and v is not None}


class BadRequest(StandardProblem, status=400, detail="{reason}"):
    """The request does not fit the contract."""

    fault: ClassVar[Fault] = "caller"
    reason: str = "The request does not fit the contract."
    place: str | None = None


class Unauthorized(StandardProblem, status=401, detail="{reason}"):
    """Who calls is not known."""

    fault: ClassVar[Fault] = "caller"
    reason: str = "No valid credential came with the request."


class Forbidden(StandardProblem, status=403, detail="{reason}"):
    """Who calls may not do this."""

    fault: ClassVar[Fault] = "caller"
    reason: str = "The caller lacks a scope that this operation needs."


class NotFound(StandardProblem, status=404, detail="{reason}"):
    """Nothing is served here."""

    fault: ClassVar[Fault] = "caller"
    reason: str = "No operation is served at this path."


class MethodNotAllowed(StandardProblem, status=405, detail="This path takes {allowed}."):
    """The path exists, but not with this method."""

    fault: ClassVar[Fault] = "caller"
    allowed: str = ""


class Conflict(StandardProblem, status=409, detail="{reason}"):
    """A request with this idempotency key is still in flight."""

    fault: ClassVar[Fault] = "caller"
    reason: str = "A request with this idempotency key is still in flight; ask again later."


class PayloadTooLarge(StandardProblem, status=413, detail="The request body may have at most {limit} bytes."):
    """The request body is too large."""

    fault: ClassVar[Fault] = "caller"
    limit: int = 0


class UnsupportedMediaType(StandardProblem, status=415, detail="{reason}"):
    """The request body is not of a type that is understood here."""

    fault: ClassVar[Fault] = "caller"
    reason: str = "Send application/json."


class KeyReused(StandardProblem, status=422, detail="{reason}"):
    """The idempotency key was used before with another request."""

    fault: ClassVar[Fault] = "caller"
    reason: str = "This idempotency key was used before with another request; use a new key."


class TooManyRequests(StandardProblem, status=429, detail="{reason}"):
    """More requests than are allowed or can be served now."""

    fault: ClassVar[Fault] = "caller"
    reason: str = "Too many requests; ask again after a pause."
    retry_after: float | None = None


class InternalError(StandardProblem, status=500, detail="{reason}"):
    """The provider failed."""

    fault: ClassVar[Fault] = "provider"
    reason: str = "The provider failed; the operator finds the cause under the request's trace id."


class Unavailable(StandardProblem, status=503, detail="{reason}"):
    """The provider cannot serve now."""

    fault: ClassVar[Fault] = "provider"
    reason: str = "The provider cannot serve now; ask again after a pause."
    retry_after: float | None = None


class NotSent(Unavailable, status=503, code="unavailable"):
    """The provider was not reached: the call was certainly not made."""


class DeadlineExceeded(StandardProblem, status=504, detail="{reason}"):
    """The answer did not come within the deadline."""

    fault: ClassVar[Fault] = "provider"
    reason: str = "The answer did not come within the deadline."


STANDARD: dict[str, type[StandardProblem]] = {
    cls.code: cls
    for cls in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        PayloadTooLarge,
        UnsupportedMediaType,
        KeyReused,
        TooManyRequests,
        InternalError,
        Unavailable,
        DeadlineExceeded,
    )
}
"""The standard problems by code."""


def fault_of(problem: Problem) -> Fault:
    """Whose fault a problem is; a declared problem is nobody's."""
    return problem.fault if isinstance(problem, StandardProblem) else "declared"
