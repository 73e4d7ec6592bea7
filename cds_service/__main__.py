"""`python -m cds_service` is `cds-service`."""

from cds_service.cli.main import main

main()
