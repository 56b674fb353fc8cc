import os
from wsgiref.simple_server import make_server

from bell import rings

NUMBERS = {1: "once", 8: "eight times"}


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"The bell rings {NUMBERS[rings(4)]}\n".encode()]


if __name__ == "__main__":
    make_server("", int(os.environ["PORT"]), application).serve_forever()
