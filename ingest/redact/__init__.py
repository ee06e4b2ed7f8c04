"""Keeps out of a dataset what a team does not want in it, before anything is written, counted or shown."""
