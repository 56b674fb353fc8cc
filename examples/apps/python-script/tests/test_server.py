import threading
import unittest
from http.server import HTTPServer
from urllib.request import urlopen

from server import Handler


class ServerTest(unittest.TestCase):
    def test_names_the_path(self):
        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.handle_request).start()
        self.addCleanup(server.server_close)
        with urlopen(f"http://127.0.0.1:{server.server_port}/quay", timeout=10) as answer:
            self.assertEqual(answer.read(), b"A script at /quay\n")
