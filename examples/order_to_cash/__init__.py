"""Order to cash on real orders: legacy systems, a layered network on top, its tests and the demo."""
