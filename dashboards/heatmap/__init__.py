"""Heatmap of a trial: participants by days."""
