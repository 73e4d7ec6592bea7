"""What the workers of a service are told of the ledger that it was started with, also those that are started later."""

# A variable of the environment, which workers inherit. A worker that starts after the data folder was moved away finds
# nothing, and would else take the service for a new one.
LEDGER_WAS_THERE = "LEDGER_WAS_THERE"
