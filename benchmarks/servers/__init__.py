"""The sides of the benchmarks, each a module that a server is started with."""
