"""A made-up second rule, in the tests only: its own service, value set, content and card, and nothing outside here."""

from tests.made_up_rule.rule import MADE_UP_RULE

__all__ = ["MADE_UP_RULE"]
