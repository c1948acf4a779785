"""What is missing and the command that fixes it: `python -m experiments doctor`."""
