"""The workbench: a page for developers and committees that shows the service at work on synthetic patients.

It is served in development only. The page calls the public endpoints as any client does; the endpoints of this package
give it patients, and explain an answer. Nothing here decides anything about a patient.
"""

from cds_service.workbench.routes import register_workbench

__all__ = ["register_workbench"]
