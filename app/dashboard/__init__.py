"""Streamlit pages and components. Pages hold no arithmetic."""
