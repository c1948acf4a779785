"""What is there, what is missing, and the command that mends it: `python -m experiments.doctor`."""
