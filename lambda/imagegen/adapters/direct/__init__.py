"""Calls of AWS that are signed and sent without the SDK's client, which takes longer than all else around them.

The authorizer uses `connection.py`, `signature.py`, `resending.py` and `table_calls.py`, which load no SDK. The modules
`*_client.py` take the place of methods of the SDK's clients, with their parameters, results and errors, and
`session.py` makes them: see `docs/decisions/0127-the-calls-of-every-image-are-direct.md`.
"""
