"""What people touch: the dashboard, the command line, the report."""
