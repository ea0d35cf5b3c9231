"""Failures below HTTP: whether anything was sent, and the reason in plain words."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from nscale_cli.connection import Connection
from nscale_cli.errors import (
    AnswerTimeout,
    Billed,
    ConfigurationError,
    Disconnected,
    InternalError,
    NscaleError,
    ServiceUnreachable,
)
from nscale_cli.redact import excerpt

_PROXY_VARIABLES = (
    "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy",
)  # fmt: skip
_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_TIME_CODES = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID and _HAS_EXPIRED, which ssl has no names for
_CHECK_USAGE = "look at your usage page before running it again"


def check_usage(connection: Connection) -> str:
    """Return what to do where something may have been billed; the sandbox has no such page."""
    return f"with a real service, {_CHECK_USAGE}" if connection.ephemeral else _CHECK_USAGE


def construction_error(error: Exception, env: Mapping[str, str]) -> NscaleError:
    """Return what is wrong with the proxy or certificate settings that `error` comes from."""
    if isinstance(error, MemoryError):
        return _no_memory(sent=False)
    certificates = isinstance(error, OSError)  # ssl.SSLError is one too
    names = _CERTIFICATE_VARIABLES if certificates else _PROXY_VARIABLES
    given = " or ".join(name for name in names if env.get(name)) or "the environment"
    if certificates:
        return ConfigurationError(
            f"the certificates that {given} names cannot be loaded",
            hint="name an existing file of PEM certificates, or unset it",
        )
    return ConfigurationError(
        f"the proxy that {given} names cannot be used",
        hint="write it as http://host:port or socks5://host:port, or unset it",
    )


def timeout_error(connection: Connection, *, sent: bool) -> NscaleError:
    """Return the error for a time limit that has passed."""
    limit = f"{connection.timeout_seconds:g} s"
    if sent:
        return AnswerTimeout(
            f"no answer within {limit}", hint=f"{check_usage(connection)}; or raise --timeout"
        )
    return ServiceUnreachable(
        f"{connection.host} was not reached within {limit}",
        temporary=False,
        hint="check the network and the name server",
    )


def transport_error(
    failure: BaseException,
    connection: Connection,
    *,
    sent: bool,
    proxy: str | None = None,
    env: Mapping[str, str] = MappingProxyType({}),
) -> NscaleError:
    """Return the domain error for whatever the HTTP client raised.

    `proxy` is the address of a proxy that had not opened the way to the service yet; a variable
    of `env` names it.
    """
    import httpx2

    if isinstance(failure, NscaleError):
        return failure
    causes = list(_causes(failure))
    if any(isinstance(cause, MemoryError) for cause in causes):
        return _no_memory(sent=sent)
    for cause in causes:
        if isinstance(cause, NscaleError):  # of our own hooks, in the SDK's wrapping
            return cause
    if sent:
        if any(isinstance(cause, httpx2.TimeoutException) for cause in causes):
            return timeout_error(connection, sent=True)
        return Disconnected(
            f"the connection to {connection.host} broke before the reply was whole",
            hint=check_usage(connection),
        )
    for cause in causes:
        if isinstance(cause, httpx2.ProxyError):
            return _refused_by_proxy(cause, connection.host, env)
    if not any(isinstance(cause, httpx2.TransportError) for cause in causes):
        return InternalError(f"{type(failure).__name__} before anything was sent", billed=Billed.NO)
    if not proxy:
        return _unreachable(causes, connection.host)
    hint = f"check {_proxy_variables(env)}, which names it, or unset it"
    return _unreachable(causes, f"the proxy {proxy}", hint)


def _refused_by_proxy(refusal: Exception, host: str, env: Mapping[str, str]) -> ServiceUnreachable:
    reason = excerpt(str(refusal), 100)  # its status and phrase
    return ServiceUnreachable(
        f"the proxy refused to connect to {host} ({reason})",
        temporary=False,
        hint=f"check {_proxy_variables(env)}, and the proxy's user and password",
    )


def _proxy_variables(env: Mapping[str, str]) -> str:
    """Return the variables that name a proxy for https, or the system, which may do so, too."""
    names = [name for name in _PROXY_VARIABLES if "http_" not in name.lower() and env.get(name)]
    return " or ".join(names) or "the system's proxy settings"


def _no_memory(*, sent: bool) -> NscaleError:
    if sent:
        return Disconnected("memory ran out before the reply was read", hint=_CHECK_USAGE)
    return InternalError("memory ran out before anything was sent", billed=Billed.NO)


def _causes(failure: BaseException | None) -> Iterator[BaseException]:
    while failure is not None:
        yield failure
        failure = failure.__cause__ or failure.__context__


def _unreachable(
    causes: list[BaseException], whom: str, hint: str = "check the network and the base URL"
) -> ServiceUnreachable:
    reason, temporary = "no connection", False
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f"its certificate is not trusted ({excerpt(cause.verify_message, 100)})"
            hint = _certificate_hint(cause)
        elif isinstance(cause, ssl.SSLError):
            reason = f"no TLS connection ({excerpt(cause.reason or str(cause), 100)})"
        elif isinstance(cause, socket.gaierror):
            temporary = cause.errno == socket.EAI_AGAIN
            reason = "the name server did not answer" if temporary else "its name was not found"
        elif isinstance(cause, TimeoutError) or "ConnectTimeout" in type(cause).__name__:
            reason, temporary = "it did not accept the connection in time", True
        elif isinstance(cause, OSError):
            reason = (cause.strerror or "no connection").lower()
            temporary = isinstance(cause, ConnectionRefusedError)
        else:
            continue
        break
    return ServiceUnreachable(f"{whom} was not reached: {reason}", temporary=temporary, hint=hint)


def _certificate_hint(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _TIME_CODES:
        return f"is this computer's clock right? It says {datetime.now(UTC):%d %B %Y}"
    return "check the base URL, this computer's clock, and SSL_CERT_FILE or SSL_CERT_DIR"
