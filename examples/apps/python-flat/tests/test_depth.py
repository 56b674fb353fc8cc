import unittest

import harbour
from wsgi import application


class DepthTest(unittest.TestCase):
    def test_is_deep_enough(self):
        self.assertGreater(harbour.DEPTH, 8)

    def test_is_told(self):
        statuses = []
        body = b"".join(application({}, lambda status, headers: statuses.append(status)))
        self.assertEqual((statuses, body), (["200 OK"], b"The harbour is 9 m deep\n"))
