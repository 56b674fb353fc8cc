from harbour import DEPTH


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"The harbour is {DEPTH} m deep\n".encode()]
