import unittest

from yard.management import execute_from_command_line
from yard.wsgi import application


class YardTest(unittest.TestCase):
    def test_has_two_hulls(self):
        statuses = []
        body = b"".join(application({}, lambda status, headers: statuses.append(status)))
        self.assertEqual((statuses, body), (["200 OK"], b"Two hulls in the yard\n"))

    def test_has_no_other_command(self):
        with self.assertRaises(SystemExit):
            execute_from_command_line(["manage.py", "migrate"])
