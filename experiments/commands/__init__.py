"""The groups of `python -m experiments`, a module each: its click commands and nothing else.

They import what they need when they run, so that help and refusals answer at once.
"""
