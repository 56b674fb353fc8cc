"""Serves the S3 API of OpenStack Swift, with all servers of Swift in this one process. The others listen on loopback.

Usage: swift-server.py DIRECTORY ADDRESS PORT ACCESS_KEY

The secret key is read from standard input. When that ends, so does the server: it never outlives who has started it.
Everything is kept below DIRECTORY, whose file system must have extended attributes. Prints "ready" when it listens.
"""

import eventlet
import eventlet.tpool
import eventlet.wsgi

eventlet.monkey_patch()

import os
import signal
import sys
import time

from swift.common import utils
from swift.common.ring import RingBuilder
from swift.common.wsgi import loadapp, SwiftHttpProtocol

SERVERS = ("account", "container", "object")

SWIFT = """
[swift-hash]
swift_hash_path_suffix = test
[storage-policy:0]
name = only
default = yes
"""

BACKEND = """
[DEFAULT]
swift_dir = {directory}
devices = {directory}/devices
mount_check = false
fallocate_reserve = 0
[pipeline:main]
pipeline = server
[app:server]
use = egg:swift#{server}
"""

# What is not configured here is as the package has it.
PROXY = """
[DEFAULT]
swift_dir = {directory}
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats cache bulk s3api tempauth copy slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:cache]
paste.filter_factory = __main__:cache_filter
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
[filter:tempauth]
use = egg:swift#tempauth
user_{user} = {secret} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
"""


class Cache:
    """What Swift needs of memcached, for one process. Nothing expires: it lives as long as a test run."""

    def __init__(self):
        self.values = {}

    def get(self, key, **_):
        return self.values.get(key)

    def set(self, key, value, **_):
        self.values[key] = value

    def delete(self, key, **_):
        self.values.pop(key, None)


def cache_filter(global_conf, **local_conf):
    cache = Cache()

    def with_cache(app):
        def serve_with_cache(env, start_response):
            env["swift.cache"] = cache
            return app(env, start_response)

        return serve_with_cache

    return with_cache


def build_ring(directory, name, port):
    builder = RingBuilder(1, 1, 0)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d", "weight": 1})
    builder.rebalance()
    builder.get_ring().save(os.path.join(directory, name + ".ring.gz"))


def serve(sock, config):
    app = loadapp(config, global_conf={"log_name": "swift"})
    eventlet.spawn(
        eventlet.wsgi.server,
        sock,
        app,
        utils.NullLogger(),
        protocol=SwiftHttpProtocol,
        capitalize_response_headers=False,
    )


def main(directory, address, port, access_key):
    secret = sys.stdin.readline().strip()
    os.environ["TZ"] = "UTC+0"
    time.tzset()
    os.makedirs(os.path.join(directory, "devices", "d"), exist_ok=True)

    def write(name, text, **values):
        path = os.path.join(directory, name)
        with open(path, "w") as file:
            file.write(text.format(directory=directory, **values))
        return path

    write("swift.conf", SWIFT)
    utils.set_swift_dir(directory)
    utils.validate_configuration()
    for name in SERVERS:
        sock = eventlet.listen(("127.0.0.1", 0))
        build_ring(directory, name, sock.getsockname()[1])
        serve(sock, write(name + ".conf", BACKEND, server=name))
    user = access_key.replace(":", "_")
    proxy = write("proxy.conf", PROXY, user=user, secret=secret)
    serve(eventlet.listen((address, int(port))), proxy)
    print("ready", flush=True)
    # A thread of the system, because standard input may be a file that cannot be polled.
    eventlet.tpool.execute(sys.stdin.read)


signal.signal(signal.SIGINT, signal.SIG_DFL)
main(*sys.argv[1:])
