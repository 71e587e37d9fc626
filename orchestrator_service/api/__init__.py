"""HTTP routes and their bodies, one file per noun."""
