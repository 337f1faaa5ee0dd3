"""The network as the classes of an app declare it: described, drawn, and what of it is published."""
