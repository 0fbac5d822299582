"""Tests of how files arrive."""
