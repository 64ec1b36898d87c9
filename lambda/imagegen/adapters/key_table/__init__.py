"""The table of API keys; `docs/data.md` describes it. It holds digests and never a key.

The operator's commands use the SDK's client (`table.py`). The authorizer only looks keys up, and every request of a
cold deployment waits for its start, so it makes that one call without the SDK (`look_up.py`): see
`docs/decisions/0121-the-authorizer-signs-its-own-call.md`.
"""
