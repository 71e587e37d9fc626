"""The API agent: one call to a model, or none; summaries and data analysis."""
