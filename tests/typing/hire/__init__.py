"""A car hire in the shapes of the design: what a user writes, as the type checkers see it."""
