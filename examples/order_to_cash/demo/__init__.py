"""The demo: real orders through the whole network while things break, and a reconciliation to the penny."""
