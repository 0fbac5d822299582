"""Simulator of Google Health: OAuth, the v4 API and its webhooks, over real HTTP, with faults to order.

It is a second reading of the vendor's contract and shares no table with the client beside it: a slip in one of them
must not hide in the other. `accounts` says who exists, `columns` and `records` what their devices measured,
`ground_truth` what of it may be seen by now, `pages` how it is written, `api` and `rollups` what is answered, `oauth`
who may ask, `faults` what goes wrong, `webhooks` what is announced, `control` is the hand on it, `server` the socket.
No database and no Django model: it also runs when the project's own database is down.
"""
