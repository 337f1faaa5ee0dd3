"""What is generated from contracts, and contracts that are generated."""
