"""Where the research agent looks: each source is a small module behind one protocol (`source.Source`)."""
