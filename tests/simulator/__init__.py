"""Tests of the simulator of Google Health."""
