"""Synthetic devices of the wearipedia library (0.1.7): five wearables of four vendors, for demo trials.

`provider` asks the library for a day; one module a vendor maps that day's JSON to our metrics, in pure functions;
`wall` turns its wall clocks into instants. The library is an extra of its own and imported only when a day is made.
"""
