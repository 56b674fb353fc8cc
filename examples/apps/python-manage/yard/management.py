"""The commands of manage.py that an application without Django itself needs."""

from wsgiref.simple_server import make_server

from yard.wsgi import application


def execute_from_command_line(arguments):
    if len(arguments) < 3 or arguments[1] != "runserver":
        raise SystemExit("usage: manage.py runserver ADDRESS:PORT")
    address, port = arguments[2].rsplit(":", 1)
    make_server(address, int(port), application).serve_forever()
