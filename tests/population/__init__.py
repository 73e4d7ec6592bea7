"""A made-up population of any size as a Bulk Data export, of which every figure of a replay is known beforehand.

    make population SIZE=10000 OUT=population

writes `OUT/export` (NDJSON) and `OUT/expected.json`, whose keys are those of `summary.json`. The patients are made of a
seed and their number, so that the first thousand of a large population are those of a small one.
"""
