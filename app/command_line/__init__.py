"""The arguments and help of each command. What a command does is in app/commands/, imported when it is called."""
