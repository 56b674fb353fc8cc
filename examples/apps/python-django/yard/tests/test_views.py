import unittest

from yard import views


class ViewsTest(unittest.TestCase):
    def test_counts_the_hulls(self):
        self.assertEqual(views.hulls(None).content, b"2 hulls in the yard\n")
