"""Participants' privacy: contact data under encryption, consent, subject access, erasure."""
