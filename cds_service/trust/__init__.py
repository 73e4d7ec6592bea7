"""Who may call: trusted clients, their tokens and keys, replay, rates, and whether the server may start at all.

Knows no medicine, no cards and no web framework.
"""
