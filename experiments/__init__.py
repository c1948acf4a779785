"""Measure how fast each Keras backend trains each task."""
