"""One module per engine, found by name: `keras<generation>_<keras backend>`."""
