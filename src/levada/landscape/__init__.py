"""What an organisation has, what of it is to change, and when that is done: map, blueprint, plan, report."""
