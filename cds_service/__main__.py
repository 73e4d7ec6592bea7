"""`python -m cds_service` is `cds-service`."""

from cds_service.commands import main

main()
