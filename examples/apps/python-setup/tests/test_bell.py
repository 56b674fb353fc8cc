import unittest

from bell import rings
from server import application


class BellTest(unittest.TestCase):
    def test_rings_once_after_half_an_hour(self):
        self.assertEqual(rings(4.5), 1)

    def test_rings_eight_times_at_the_end_of_a_watch(self):
        self.assertEqual([rings(hour) for hour in (4, 8, 12)], [8, 8, 8])

    def test_is_told(self):
        statuses = []
        body = b"".join(application({}, lambda status, headers: statuses.append(status)))
        self.assertEqual((statuses, body), (["200 OK"], b"The bell rings eight times\n"))
