"""Benchmarks, each against its named peer in the same run: ``python -m benchmarks NAME``."""
