"""What the person before the page may do, as the gate before the server has said, and where the pages are."""

import streamlit as st

from overbudget.app.server.access.roles import ROLE_HEADER, may


def allowed(what: str) -> bool:
    """Whether this person has the role `what`. Without a server, in tests, everything is allowed."""
    role = st.context.headers.get(ROLE_HEADER)
    return role is None or may(role, what)


def base_path() -> str:
    """The path that the pages are below: "/tools/overbudget", or nothing."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""
