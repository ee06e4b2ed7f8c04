"""The one exception whose text is meant for people."""


class OverbudgetError(Exception):
    """Something that a user can act on, in one readable sentence.

    The command line prints it to stderr and exits with status 2; the dashboard shows it as it is.
    Any other exception is a bug.
    """
