"""One module per version of the tables, in the order of their numbers. A released one is never changed."""
