"""Who may use the dashboard, from where, and what for."""
