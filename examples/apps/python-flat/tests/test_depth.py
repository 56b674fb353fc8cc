import unittest

import harbour


class DepthTest(unittest.TestCase):
    def test_is_deep_enough(self):
        self.assertGreater(harbour.DEPTH, 8)
