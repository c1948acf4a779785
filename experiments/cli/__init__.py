"""What every command shares: errors in one line, exit statuses, and what a terminal shows."""
