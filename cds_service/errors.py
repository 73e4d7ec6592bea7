"""The errors that become an answer to the client.

    CdsError               an HTTP status, a FHIR issue type and a text
    ├── InvalidRequest     400  the body is not a call that this service can read
    ├── Unauthorized       401  the caller is not known; no reason is given
    ├── Forbidden          403  the caller is known, but may not do this
    ├── UnknownService     404  no service has this id
    ├── NotAllowed         405  the address exists, the method does not
    ├── MissingData        412  data that decides is neither sent nor fetchable
    ├── TooLarge           413  the body is larger than the settings allow
    ├── TooMuch            413  the body is nested too deeply, has too many values, or a Bundle in it is too long
    ├── WrongMediaType     415  the body is not declared as JSON, or in a form that is not read
    ├── TooManyCalls       429  the client calls more often than the settings allow
    ├── TookTooLong        503  the answer was not ready in the time of the settings
    ├── NotStored          503  feedback was understood, but could not be stored; send it again
    └── NotRecorded        503  the answer could not be recorded, and the site demands that it is

A text is shown to the client and may be logged. It is therefore built from what this program knows
(field names, limits, prefetch keys) and never from values of the request: those can identify a patient.
"""

from collections.abc import Iterable


class CdsError(Exception):
    """An error with all that is needed to answer the client.

    status and code (a FHIR issue type) belong to the class; text is one or more plain sentences;
    diagnostics, if given, is a hint for the people who run the client; retry_after says after how many
    seconds the same request may succeed.
    """

    status: int = 500
    code: str = "exception"
    retry_after: int | None = None

    def __init__(self, text: str, diagnostics: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.diagnostics = diagnostics


class InvalidRequest(CdsError):
    """The body cannot be read as the call that it should be.

    field is a path such as "context.patientId" ("body" for the whole), expected completes it to a
    sentence: "must be a FHIR id".
    """

    status = 400
    code = "invalid"

    def __init__(self, field: str, expected: str, diagnostics: str | None = None) -> None:
        super().__init__(f"{field}: {expected}", diagnostics)
        self.field = field
        self.expected = expected


class Unauthorized(CdsError):
    """The caller is not known. Whoever is not known is told nothing more (CDS Hooks, security best practices)."""

    status = 401
    code = "login"

    def __init__(self) -> None:
        super().__init__("The caller is not authorized.")


class Forbidden(CdsError):
    """The caller is known, but may not call this service."""

    status = 403
    code = "forbidden"

    def __init__(self) -> None:
        super().__init__("This client may not call this service.")


class UnknownService(CdsError):
    """There is no service with the id in the address (which the text does not repeat)."""

    status = 404
    code = "not-found"

    def __init__(self) -> None:
        super().__init__("There is nothing at this address. GET /cds-services lists the services.")


class NotAllowed(CdsError):
    """The address does not answer this method; allowed names those that it answers."""

    status = 405
    code = "not-supported"

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self.allowed = tuple(allowed)
        hint = f" Allowed: {', '.join(self.allowed)}." if self.allowed else ""
        super().__init__(f"This address does not answer this HTTP method.{hint}")


class MissingData(CdsError):
    """Data without which there is no answer is neither in the prefetch nor fetchable.

    missing holds pairs of prefetch key and cause. The cause is a phrase of this program in plain words
    ("was not sent", "the FHIR server did not answer in time"), not the text of another server.
    failed says that the data was asked for and not obtained, which is another issue type than data
    that nobody supplied.
    """

    status = 412
    code = "required"

    def __init__(self, missing: Iterable[tuple[str, str]], failed: bool = False) -> None:
        self.missing = tuple(missing)
        if failed:
            self.code = "processing"
        listed = "; ".join(f"{key}: {cause}" for key, cause in self.missing)
        keys = ", ".join(key for key, _ in self.missing)
        super().__init__(
            f"Needed data is missing ({listed}). Nothing was concluded about this patient:"
            " the absence of a card does not mean that there is no risk.",
            f"Missing prefetch keys: {keys}",
        )


class TooLarge(CdsError):
    """The body exceeds the limit of the settings, in bytes."""

    status = 413
    code = "too-long"

    def __init__(self, limit: int | None = None) -> None:
        bound = "" if limit is None else f" of {limit} bytes"
        super().__init__(f"The body is larger than the limit{bound}.")


class TooMuch(CdsError):
    """The body keeps the limit in bytes, but not another one; the text says which."""

    status = 413
    code = "too-costly"


class WrongMediaType(CdsError):
    """The body is not sent as JSON: another Content-Type, compressed, or in a character set that is not read."""

    status = 415
    code = "not-supported"

    def __init__(self, text: str = "The body must be JSON, sent with Content-Type: application/json.") -> None:
        super().__init__(text)


class TooManyCalls(CdsError):
    """The client calls more often than the settings allow."""

    status = 429
    code = "throttled"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many calls by this client. Call again in {seconds} s.")
        self.retry_after = seconds


class TookTooLong(CdsError):
    """The answer was not ready in the time that the settings give a call."""

    status = 503
    code = "timeout"
    retry_after = 5

    def __init__(self, limit_seconds: float) -> None:
        super().__init__(
            f"The answer was not ready within {limit_seconds:g} s. Nothing was concluded about this patient:"
            " the absence of a card does not mean that there is no risk."
        )


class NotStored(CdsError):
    """Feedback was read and is well-formed, but could not be stored: none of it is."""

    status = 503
    code = "no-store"
    retry_after = 5

    def __init__(self) -> None:
        super().__init__("The feedback is well-formed, but could not be stored. None of it was; send it again later.")


class NotRecorded(CdsError):
    """The ledger is down, and the settings forbid an answer that is not recorded."""

    status = 503
    code = "no-store"
    retry_after = 5

    def __init__(self) -> None:
        super().__init__(
            "The answer could not be recorded, and this site demands that every answer is. Nothing was concluded about"
            " this patient: the absence of a card does not mean that there is no risk."
        )
