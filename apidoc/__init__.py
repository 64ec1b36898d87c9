"""The OpenAPI 3.1 document of the API, made from the route table, the bodies and the errors of `lambda/imagegen`.

`make openapi` writes it to `lambda/imagegen/http/openapi.json`, the file that the function serves. Nothing in `lambda/`
imports this package.
"""
