"""What each command takes, and its words of help. What it does is in app/commands/, imported when it is called."""
