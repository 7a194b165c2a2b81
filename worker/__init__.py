"""The worker and the command line: composition roots that wire engines, rules and store together."""
