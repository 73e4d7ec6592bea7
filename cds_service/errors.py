"""The errors that become an answer to the client.

    CdsError               an HTTP status, a FHIR issue type and a text
    ├── InvalidRequest     400  the body is not a call that this service can read
    ├── UnknownService     404  no service has this id
    ├── NotAllowed         405  the address exists, the method does not
    ├── MissingData        412  data that decides is neither sent nor fetchable
    ├── TooLarge           413  the body is larger than the settings allow
    ├── WrongMediaType     415  the body is not declared as JSON
    └── NotStored          501  feedback was understood, but is not kept

A text is shown to the client and may be logged. It is therefore built from what this program knows
(field names, limits, prefetch keys) and never from values of the request: those can identify a patient.
"""

from collections.abc import Iterable


class CdsError(Exception):
    """An error with all that is needed to answer the client.

    status and code (a FHIR issue type) belong to the class; text is one or more plain sentences;
    diagnostics, if given, is a hint for the people who run the client.
    """

    status: int = 500
    code: str = "exception"

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


class WrongMediaType(CdsError):
    """The Content-Type is not one under which JSON is sent."""

    status = 415
    code = "not-supported"

    def __init__(self) -> None:
        super().__init__("The body must be JSON, sent with Content-Type: application/json.")


class NotStored(CdsError):
    """Feedback was read and is well-formed, but this service has nowhere to keep it."""

    status = 501
    code = "not-supported"

    def __init__(self) -> None:
        super().__init__("The feedback is well-formed, but this service does not store feedback.")
