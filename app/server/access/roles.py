"""What people may do: each role what those before it may."""

ROLES = ("read", "upload", "admin")
USER_HEADER, ROLE_HEADER = "x-overbudget-user", "x-overbudget-role"  # written by the gate alone


def may(role: str, what: str) -> bool:
    """Whether a role may do what the role `what` is needed for."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(what)
