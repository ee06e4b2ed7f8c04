"""Pure functions: an analysis result in, a Plotly figure out. Nothing here imports Streamlit."""
