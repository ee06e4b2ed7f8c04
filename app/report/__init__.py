"""An analysis result as text, Markdown or JSON."""
