from lamps import LUMENS


def create_app(settings=None):
    """The WSGI application, which exists only once somebody has called this."""
    lumens = (settings or {}).get("lumens", LUMENS)

    def answer(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"The lamp has {lumens} lumens\n".encode()]

    return answer
