from setuptools import setup

setup(name="bell", version="1.0", packages=["bell"])
