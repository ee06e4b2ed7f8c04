"""The one exception whose text is meant for people."""


class OverbudgetError(Exception):
    """Something a user can act on, said in one readable sentence.

    The command line prints it to stderr and exits with status 2; the dashboard shows it as it is.
    Everything else that is raised is a bug.
    """
