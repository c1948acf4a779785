"""The configuration: its types and checks, how it is composed, and the only reader of conf/."""
