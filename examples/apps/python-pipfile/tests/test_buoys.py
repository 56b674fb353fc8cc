import unittest

from buoys import application


class BuoysTest(unittest.TestCase):
    def test_nine_are_out(self):
        statuses = []
        body = b"".join(application({}, lambda status, headers: statuses.append(status)))
        self.assertEqual((statuses, body), (["200 OK"], b"Nine buoys are out\n"))
