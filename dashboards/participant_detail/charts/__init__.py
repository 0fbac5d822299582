"""Charts of a participant's page, as data for the browser and as SVG."""
