"""Results that can be published: journals without names and paths, packed into one folder."""
