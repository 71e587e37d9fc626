"""A scripted language model over real HTTP: what it answers, and what goes wrong with it, is written down beforehand.

Behind `federation model-double script.yaml`, and behind the tests of this repository.
"""
