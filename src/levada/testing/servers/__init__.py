"""Real servers for tests, each started in a directory of its own on a random port."""
