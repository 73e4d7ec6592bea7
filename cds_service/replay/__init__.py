"""The rule over a whole population: at the moments at which charts were opened, with only what was known then."""
