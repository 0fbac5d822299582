"""Parts that the pages share: access, labels, formatting, pagination, downloads."""
