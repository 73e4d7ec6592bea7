"""What a call costs, beside what is usual: `make bench`.

    make bench                                # all parts, about five minutes; compares with the committed ratios
    make bench BENCH=in-process,end-to-end    # some parts: in-process, end-to-end, start, no-prefetch, large-bodies
    make bench BENCH_SHORT=1                  # few rounds, for a look in between
    make bench BENCH_PEERS=1                  # also beside HealthChain, in an environment of its own (build/peers)
    make bench BENCH_WRITE=1                  # renews docs/benchmarks.md, its plot and the committed ratios

Every figure is taken in turn with what stands beside it (interleaved rounds), in one run, since other work on a
machine comes and goes. What computes is told in CPU time, which other work changes little; what waits, in wall time.
**Only ratios are compared**: milliseconds are those of one machine. One file holds one figure; `charts.py` makes the
charts, `servers.py` runs the servers and reads their CPU time, `client.py` is the client in a process of its own.
"""
