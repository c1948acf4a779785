"""The measured process: a guest in a backend's own interpreter.

Everything below this package runs on Python 3.6 to 3.13, under Keras 2 and 3, with NumPy, Keras and
the standard library only, and imports nothing of the project above it.
"""
