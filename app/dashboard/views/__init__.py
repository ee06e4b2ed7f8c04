"""The pages, run by Streamlit as files."""
