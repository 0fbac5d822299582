"""API resources about trials and people: trials, sites, members, contact data, the audit trail, one's own account."""
