"""The wire format of CDS Hooks: what calls, answers and feedback look like. No medicine and no web here."""
