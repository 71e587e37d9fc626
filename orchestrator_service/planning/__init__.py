"""From a goal to a plan: rules, a model, and the checks both pass."""
