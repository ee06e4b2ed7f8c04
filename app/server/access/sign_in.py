"""The page that asks for the password."""

from html import escape


def sign_in_page(path: str, said: str = "") -> str:
    """A form that posts to `path`; `said` is why it is shown again."""
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>overbudget: sign in</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
body {{ font: 16px system-ui, sans-serif; max-width: 20rem; margin: 20vh auto; padding: 0 1rem; color-scheme: light dark }}
input, button {{ font: inherit; padding: .4rem; width: 100%; box-sizing: border-box; margin-top: .5rem }}</style></head>
<body><h1>overbudget</h1><form method="post" action="{escape(path)}"><label>Password
<input type="password" name="password" autocomplete="current-password" autofocus required></label>
<button>Sign in</button></form><p role="alert">{escape(said)}</p></body></html>"""
