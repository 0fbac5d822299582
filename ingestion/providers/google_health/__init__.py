"""Google Health API v4, the successor of the Fitbit Web API."""
