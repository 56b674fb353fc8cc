def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Two hulls in the yard\n"]
