import unittest

from lighthouse import create_app


class LighthouseTest(unittest.TestCase):
    def answer(self, settings=None):
        return b"".join(create_app(settings)({}, lambda status, headers: None))

    def test_has_the_lamp_of_the_wheel(self):
        self.assertEqual(self.answer(), b"The lamp has 800 lumens\n")

    def test_has_the_lamp_of_its_settings(self):
        self.assertEqual(self.answer({"lumens": 5}), b"The lamp has 5 lumens\n")
