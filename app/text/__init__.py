"""Every answer as sentences and tables, for terminal, Markdown and pages."""
