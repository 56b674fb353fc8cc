import unittest

from app import app


class AppTest(unittest.TestCase):
    def ask(self, path):
        statuses = []
        body = b"".join(app({"PATH_INFO": path}, lambda status, headers: statuses.append(status)))
        return statuses[0], body

    def test_counts_crabs(self):
        self.assertEqual(self.ask("/crabs"), ("200 OK", b"Seven crabs in the pool\n"))

    def test_has_no_other_page(self):
        self.assertEqual(self.ask("/shrimps")[0], "404 Not Found")
