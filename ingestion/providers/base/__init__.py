"""Contracts between providers and the rest: live providers, file formats, synthetic devices."""
