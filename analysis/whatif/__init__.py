"""The distribution after a change, by replaying every request."""
