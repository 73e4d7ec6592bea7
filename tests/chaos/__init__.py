"""Chaos and soak: the service as it is run, for minutes, while what it needs is taken away from it.

`make chaos` calls without a pause while the database is stopped, killed, filled, locked, replaced and restored, workers
are killed and modes switched; `make soak` calls for so long that what is not given back would be seen. Both say at the
end what did not hold, and exit with 1 then. They use this machine alone.
"""
