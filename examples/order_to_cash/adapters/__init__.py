"""What stands behind the promises: one module a system, replaceable without a consumer noticing."""
