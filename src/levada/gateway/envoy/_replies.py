"""What Envoy answers by itself, as problems (RFC 9457), and what it writes down of each request."""

from __future__ import annotations

from typing import Any

__all__ = ["access_log", "local_replies"]

_REPLIES: tuple[tuple[int, str, str, str, str], ...] = (
    (400, "bad-request", "caller", "The request does not fit the contract.", "The request is malformed."),
    (
        401,
        "unauthorized",
        "caller",
        "Who calls is not known.",
        "Send a valid API key in the header x-api-key.",
    ),
    (
        403,
        "forbidden",
        "caller",
        "Who calls may not do this.",
        "This key is not subscribed to the product of this operation.",
    ),
    (
        408,
        "deadline-exceeded",
        "caller",
        "The answer did not come within the deadline.",
        "The request did not come in time.",
    ),
    (
        413,
        "payload-too-large",
        "caller",
        "The request body is too large.",
        "The request body may have at most {limit} bytes.",
    ),
    (426, "bad-request", "caller", "The request does not fit the contract.", "Use HTTP/1.1 or HTTP/2."),
    (
        429,
        "too-many-requests",
        "caller",
        "More requests than are allowed or can be served now.",
        "The plan's limit is reached; ask again after the pause that Retry-After tells.",
    ),
    (
        431,
        "bad-request",
        "caller",
        "The request does not fit the contract.",
        "The request's headers are too large.",
    ),
    (
        503,
        "unavailable",
        "provider",
        "The provider cannot serve now.",
        "The provider cannot serve now; ask again after a pause.",
    ),
    (
        504,
        "deadline-exceeded",
        "provider",
        "The answer did not come within the deadline.",
        "The answer did not come within the deadline.",
    ),
)


def local_replies(body_limit: int) -> dict[str, Any]:
    """A mapper for each status that Envoy itself may answer with; what the app answers stays as it is."""
    return {
        "mappers": [
            _mapper(status, code, fault, title, detail.format(limit=body_limit))
            for status, code, fault, title, detail in _REPLIES
        ]
    }


def _mapper(status: int, code: str, fault: str, title: str, detail: str) -> dict[str, Any]:
    headers = {"levada-problem": code, "levada-fault": fault}
    if status == 401:
        headers["www-authenticate"] = 'ApiKey realm="levada"'
    if status == 503:
        headers["retry-after"] = "1"
    return {
        "filter": {
            "status_code_filter": {
                "comparison": {
                    "op": "EQ",
                    "value": {"default_value": status, "runtime_key": f"levada.reply.{status}"},
                }
            }
        },
        "body_format_override": {
            "json_format": {
                "type": f"urn:levada:problem:{code}",
                "title": title,
                "status": status,
                "detail": detail,
                "request_id": "%REQ(X-REQUEST-ID)%",
            },
            "content_type": "application/problem+json",
        },
        "headers_to_add": [
            {"header": {"key": k, "value": v}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for k, v in headers.items()
        ],
    }


def access_log(path: str) -> dict[str, Any]:
    """One JSON line a request, without its URL: route templates alone."""
    return {
        "name": "file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
            "log_format": {
                "json_format": {
                    "at": "%START_TIME(%s.%6f)%",
                    "consumer": "%REQ(X-CONSUMER-ID)%",
                    # Operation, product and template: to read them of the route's metadata costs a tenth of a request.
                    "route": "%ROUTE_NAME%",
                    "method": "%REQ(:METHOD)%",
                    "status": "%RESPONSE_CODE%",
                    "problem": "%RESP(LEVADA-PROBLEM)%",
                    "fault": "%RESP(LEVADA-FAULT)%",
                    "detail": "%RESPONSE_CODE_DETAILS%",
                    "flags": "%RESPONSE_FLAGS%",
                    "us": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
                    "in": "%BYTES_RECEIVED%",
                    "out": "%BYTES_SENT%",
                    "request": "%REQ(X-REQUEST-ID)%",
                    "trace": "%REQ(TRACEPARENT)%",
                }
            },
        },
    }
