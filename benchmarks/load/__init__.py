"""The pages and the API under load: many managers at once while a full day of everybody comes in."""
