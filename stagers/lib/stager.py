"""The Stager API for stagers in Python, 3.7 or later: see docs/stager-library.md.

    from stager import run

    def main(stager):
        stager.get_data('/tmp/app')
        ...
        stager.finish()

    run(main)

It needs tar and gzip. To run commands in /stagerfs as another user than root, it needs sudo, and the chroot of
coreutils.
"""
import glob
import hashlib
import http.client
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from urllib.parse import urlencode, urlsplit


class StagerError(Exception):
    """Ends the stager with its sentence, unless it is caught."""


class Refused(StagerError):
    """A request was refused: `status` and `sentence` are those of the answer."""

    def __init__(self, request, status, sentence):
        super().__init__('%s was refused with %d: %s' % (request, status, sentence))
        self.status = status
        self.sentence = sentence


class CommandFailed(StagerError):
    def __init__(self, command, exit_code):
        super().__init__('"%s" ended with exit code %d.' % (' '.join(command), exit_code))
        self.exit_code = exit_code


def run(main):
    """Runs main(stager), and posts `failed` when it ends without a verdict. Does not return."""
    # Two streams would not keep their order, so stderr goes to stdout.
    os.dup2(1, 2)
    if not os.environ.get('STAGER_URL'):
        sys.exit('STAGER_URL is not set: this is a stager, and only stagerd starts it.')
    stager = Stager(os.environ['STAGER_URL'])
    code = 1
    try:
        main(stager)
        print('The stager ended without a verdict: end it with finish, fail or relaunch_with.')
    except StagerError as error:
        print(error)
    except SystemExit as end:
        if stager.verdict is not None or stager.explained:
            raise
        code = end.code if isinstance(end.code, int) and end.code != 0 else 1
        print('The stager ended without a verdict: %s.' % ('exit' if end.code is None else end.code))
    except BaseException:
        traceback.print_exc(file=sys.stdout)
    sys.stdout.flush()
    stager.post_failed()
    sys.exit(code)


class Stager:
    def __init__(self, url):
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port or 80)
        self._path = parts.path
        self.verdict = None
        self.explained = False

    # --- Output and verdicts ---

    def say(self, text):
        """A heading in the log."""
        print('-----> %s' % text, flush=True)

    def fail(self, sentence):
        """The staging fails, with this sentence in its log."""
        print(sentence, flush=True)
        self.explained = True
        self.post_failed()
        sys.exit(1)

    def finish(self):
        """The staging goes on with the next stager, and the data and metadata of the package are kept."""
        self._post_verdict('done')

    def relaunch(self):
        """Starts this stager again, with the current dependencies and environment of the package."""
        self._post_verdict('relaunch')

    def relaunch_with(self, *capabilities):
        """Adds those dependencies that the package lacks, and starts this stager again with them.

        The root of a running container cannot change. Returns if the package has all of them, and if the relaunch would
        change nothing, because what this stager expects has them already.
        """
        present = self.meta_dependencies()
        missing = [capability for capability in capabilities if capability not in present]
        if missing:
            self.add_dependencies(*missing)
            self._post_verdict('relaunch', [('if', 'needed')])

    def post_failed(self):
        try:
            self._request('POST', 'failed')
        except StagerError as error:
            # Another verdict or a limit was first: the log of the staging has it.
            if getattr(error, 'status', None) != 452:
                print(error, flush=True)

    def _post_verdict(self, verdict, query=()):
        """Returns only from a relaunch that is not needed."""
        if self._request('POST', verdict, query) == b'NOT NEEDED':
            return
        self.verdict = verdict
        sys.exit(0)

    # --- Data ---

    def get_data(self, directory):
        """Unpacks the data of the package into a directory.

        What an earlier stager packed below app/, and what the user uploaded without a prefix, looks the same here: the
        application is in the directory itself.
        """
        with tempfile.TemporaryDirectory() as temporary:
            archive = os.path.join(temporary, 'data.tar.gz')
            self._request('GET', 'data', save=archive)
            names = subprocess.run(['tar', '-tzf', archive], stdout=subprocess.PIPE, check=False).stdout.splitlines()
            # A file that is named app is no prefix.
            strip = ['--strip-components=1'] if all(name.startswith(b'app/') for name in names) else []
            self._own(directory)
            if subprocess.run(['tar', '-xzf', archive, '-C', directory, *strip], check=False).returncode != 0:
                raise StagerError('The data of the package cannot be unpacked into %s.' % directory)

    def put_data(self, directory, *paths):
        """Replaces the data of the package by these files and directories of `directory`, or by all that it contains.

        The directory stands for the root of the package: an application is in its directory app.
        """
        # The names of the entries have no "./", and the root directory is not among them.
        names = []
        for path in paths or ['.']:
            name = os.path.normpath('/' + path).lstrip('/')
            names += [name] if name else os.listdir(directory)
        if not names:
            raise StagerError('There is nothing to upload in %s.' % directory)
        version = subprocess.run(['tar', '--version'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        options = ['--sort=name', '--numeric-owner'] if b'GNU' in version.stdout else []
        # As root, because a command that ran as root may have left files that only root can read.
        command = self._as_root('tar', '-czf', '-', *options, '-C', directory, '--', *names)
        with tempfile.TemporaryFile() as archive:
            if subprocess.run(command, stdout=archive, check=False).returncode != 0:
                raise StagerError('%s cannot be packed.' % directory)
            archive.seek(0)
            digest = hashlib.sha256()
            for piece in iter(lambda: archive.read(1 << 20), b''):
                digest.update(piece)
            self._request('POST', 'data', query=[('sha256', digest.hexdigest())], upload=archive)

    def snapshot(self, directory=None, exclude=()):
        """Replaces the data of the package by what this stager changed in its own filesystem."""
        query = [('directory', directory)] if directory is not None else []
        # Python caches this file beside it.
        cache = os.path.join(os.path.dirname(os.path.abspath(__file__)), '__pycache__')
        query += [('exclude', path) for path in ([exclude] if isinstance(exclude, str) else [*exclude]) + [cache]]
        # A second snapshot would be of another moment.
        self._request('POST', 'snapshot', query=query, repeatable=False)

    # --- Metadata. A capability is TYPE.NAME, with the type os, runtime, file or package. ---

    def meta(self):
        """The lists `dependencies`, `provides` and `templates`, and the dictionary `environment`."""
        return json.loads(self._request('GET', 'meta'))

    def meta_env(self, key):
        """The value of a variable that the package itself has, or None."""
        return self.meta()['environment'].get(key)

    def meta_dependencies(self):
        """The dependencies of the package, each as TYPE.NAME."""
        return ['%s.%s' % (each['type'], each['name']) for each in self.meta()['dependencies']]

    def meta_has_dependency(self, prefix):
        """Whether the package has a dependency that begins so: runtime.node is also true for runtime.node-20."""
        return any(capability.startswith(prefix) for capability in self.meta_dependencies())

    def set_env(self, key, value):
        self.change_meta('environment', 'add', key=key, value=value)

    def unset_env(self, key):
        self.change_meta('environment', 'remove', key=key)

    def set_start_command(self, command):
        self.set_env('START_COMMAND', command)

    def set_start_path(self, path):
        self.set_env('START_PATH', path)

    def add_provides(self, *capabilities):
        self._change_capabilities('provides', 'add', capabilities)

    def remove_provides(self, *capabilities):
        self._change_capabilities('provides', 'remove', capabilities)

    def add_dependencies(self, *capabilities):
        self._change_capabilities('dependencies', 'add', capabilities)

    def remove_dependencies(self, *capabilities):
        self._change_capabilities('dependencies', 'remove', capabilities)

    def add_template(self, path, left='{{', right='}}'):
        self.change_meta('templates', 'add', path=path, left_delimiter=left, right_delimiter=right)

    def remove_template(self, path, left='{{', right='}}'):
        self.change_meta('templates', 'remove', path=path, left_delimiter=left, right_delimiter=right)

    def _change_capabilities(self, resource, action, capabilities):
        for capability in capabilities:
            kind, dot, name = capability.partition('.')
            if not dot:
                raise StagerError('"%s" is not a capability: write TYPE.NAME, such as runtime.node.' % capability)
            self.change_meta(resource, action, type=kind, name=name)

    def change_meta(self, resource, action, **fields):
        """Any change, as in docs/stager-api.md."""
        self._request('PUT', 'meta', form={'resource': resource, 'action': action, **fields})

    # --- /stagerfs ---

    def in_stagerfs(self, *command, as_root=False, capture=False):
        """Runs a command of the package's filesystem in its /app, as the user of this stager or as root.

        It gets the environment of the launch, which contains that of the package and its dependencies. Put the
        application there first: get_data('/stagerfs/app'). With `capture`, returns the output. Raises CommandFailed.
        """
        # It may be a symbolic link that has its target only within /stagerfs.
        if not os.path.lexists('/stagerfs/bin/sh'):
            raise StagerError(
                '/stagerfs has no /bin/sh: give the package an operating system first, with relaunch_with os.NAME.'
            )
        self._own('/stagerfs/app')
        # HOME is outside of /app, where caches would become part of the application.
        home = '/root' if as_root else '/tmp/stager-home'
        if not os.path.isdir('/stagerfs' + home):
            self._own('/stagerfs' + home)
        user = [] if as_root else ['--userspec=%d:%d' % (os.getuid(), os.getgid())]
        # Without STAGER_URL, the command cannot post a verdict. STAGER_CACHE and STAGER_SECRETS are not in /stagerfs. sudo
        # would remove the other variables.
        hidden = ('STAGER_URL', 'STAGER_CACHE', 'STAGER_SECRETS', 'HOME', 'PWD', 'OLDPWD', 'SHLVL', '_')
        variables = {key: value for key, value in os.environ.items() if key not in hidden}
        # Of the dependencies of the package, for their programs alone.
        for key in [key for key in variables if key.startswith('STAGERFS_ENV_')]:
            variables[key[len('STAGERFS_ENV_'):]] = variables.pop(key)
        variables['HOME'] = home
        pairs = ['%s=%s' % pair for pair in variables.items()]
        # `env` is the last to start: a shell may drop variables that it cannot name.
        shell = ['/bin/sh', '-c', 'cd /app && exec env -i "$@"', 'sh', *pairs]
        sys.stdout.flush()
        ended = subprocess.run(
            self._as_root('chroot', *user, '/stagerfs', *shell, *command),
            stdout=subprocess.PIPE if capture else None,
            universal_newlines=True,
            check=False,
        )
        if ended.returncode != 0:
            signal = max(0, -ended.returncode)
            raise CommandFailed(command, 128 + signal if signal else ended.returncode)
        return ended.stdout

    def _own(self, directory):
        """Makes a directory that belongs to the user of this stager, unless there is one already."""
        try:
            os.makedirs(directory, exist_ok=True)
        except OSError:
            subprocess.run(self._as_root('mkdir', '-p', directory), check=False)
        if not os.access(directory, os.W_OK):
            owner = '%d:%d' % (os.getuid(), os.getgid())
            if subprocess.run(self._as_root('chown', owner, directory), check=False).returncode != 0:
                raise StagerError(
                    'The directory %s cannot be made, or cannot be given to the user of this stager.' % directory
                )

    def _as_root(self, *command):
        return [*command] if os.geteuid() == 0 or not shutil.which('sudo') else ['sudo', '--', *command]

    # --- Secrets ---

    def secret(self, name):
        """The path of the file with a secret of the stager or of its staging; None if it has none of this name."""
        file = os.path.join(os.environ.get('STAGER_SECRETS') or '/dev/null', name)
        return file if os.path.isfile(file) else None

    # --- What is kept for the next staging ---

    def restore(self, name, key, directory):
        """Puts back what `keep` has kept of the directory by this name and key, in this or an earlier staging.

        Returns False if there is nothing, or if it is damaged: then make it again. The key is any text that tells what
        the directory depends on, such as the digest of a lock file. The packages that / and /stagerfs consist of are
        always part of it.
        """
        for file in glob.glob(glob.escape(self._kept(name, key)) + '-*'):
            # The name has the digest, which finds out what was cut short.
            if self._digest_of(file) == file.rpartition('-')[2]:
                parent = os.path.dirname(os.path.abspath(directory))
                self._own(parent)
                subprocess.run(self._as_root('rm', '-rf', '--', directory), check=False)
                if subprocess.run(self._as_root('tar', '-xpf', file, '-C', parent), check=False).returncode == 0:
                    return True
                subprocess.run(self._as_root('rm', '-rf', '--', directory), check=False)
            self._discard(file)
        return False

    def keep(self, name, key, directory):
        """Keeps a copy of the directory for the next staging, unless it has more than 256 MiB.

        Of each name, the three latest are kept.
        """
        cache = os.environ.get('STAGER_CACHE')
        if not cache:
            return
        fresh = os.path.join(cache, 'new-%d' % os.getpid())
        parent, base = os.path.split(os.path.abspath(directory))
        try:
            size = subprocess.run(self._as_root('du', '-sk', directory), stdout=subprocess.PIPE, check=True).stdout
            if int(size.split()[0]) > 256 * 1024:
                raise OSError('too large')
            kept = self._kept(name, key)
            # What is in the place of a file is not written to or into.
            for old in [fresh] + glob.glob(glob.escape(kept) + '-*'):
                self._discard(old)
            with open(fresh, 'wb') as archive:
                subprocess.run(self._as_root('tar', '-cf', '-', '-C', parent, base), stdout=archive, check=True)
            os.rename(fresh, '%s-%s' % (kept, self._digest_of(fresh)))
            entries = glob.glob(glob.escape(os.path.join(cache, name)) + '-*')
            for old in sorted(entries, key=lambda entry: os.lstat(entry).st_mtime, reverse=True)[3:]:
                self._discard(old)
        except (OSError, subprocess.CalledProcessError):
            self.say('%s is not kept for the next staging' % directory)
            self._discard(fresh)

    def _discard(self, path):
        """Removes whatever is there, as far as possible: what is kept never makes a staging fail."""
        try:
            os.unlink(path)
        except OSError:
            shutil.rmtree(path, ignore_errors=True)

    def _kept(self, name, key):
        digest = hashlib.sha256(('%s\0%s\0' % (key, os.environ.get('STAGER_BASE', ''))).encode()).hexdigest()
        return os.path.join(os.environ.get('STAGER_CACHE') or '/dev/null', '%s-%s' % (name, digest))

    def _digest_of(self, file):
        """None for what is no file, of which nothing is read, or cannot be read."""
        digest = hashlib.sha256()
        try:
            if not stat.S_ISREG(os.lstat(file).st_mode):
                return None
            with open(file, 'rb') as content:
                for piece in iter(lambda: content.read(1 << 20), b''):
                    digest.update(piece)
        except OSError:
            return None
        return digest.hexdigest()

    # --- Requests ---

    def _request(self, method, operation, query=(), form=None, upload=None, save=None, repeatable=True):
        """Returns the body of the answer, or writes it to the file `save`. Raises Refused."""
        target = '%s/%s%s' % (self._path, operation, '?' + urlencode(query) if query else '')
        asked = '%s /%s' % (method, operation)
        for attempt in (1, 2, 3):
            # Without a proxy, and without a time limit: a snapshot may take its time.
            connection = http.client.HTTPConnection(*self._address)
            connected = False
            try:
                connection.connect()
                connected = True
                self._send(connection, method, target, form, upload)
                return self._receive(connection.getresponse(), asked, save)
            except (OSError, http.client.HTTPException) as error:
                # A request can be repeated if it has the same effect twice, or was not sent.
                if attempt == 3 or (connected and not repeatable):
                    raise StagerError('%s got no answer: %s' % (asked, error)) from error
            finally:
                connection.close()
            time.sleep(attempt)

    def _send(self, connection, method, target, form, upload):
        body = b'' if form is None else urlencode(form).encode()
        length = len(body) if upload is None else upload.seek(0, os.SEEK_END)
        connection.putrequest(method, target)
        if method != 'GET':
            kind = 'octet-stream' if upload is not None else 'x-www-form-urlencoded'
            connection.putheader('Content-Type', 'application/' + kind)
            connection.putheader('Content-Length', str(length))
        connection.endheaders(body or None)
        if upload is None:
            return
        upload.seek(0)
        try:
            for piece in iter(lambda: upload.read(1 << 20), b''):
                connection.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            # The answer may be there already.
            pass

    def _receive(self, response, asked, save):
        if response.status != 200:
            raise Refused(asked, response.status, response.read().decode('utf-8', 'replace'))
        if save is None:
            return response.read()
        with open(save, 'wb') as file:
            shutil.copyfileobj(response, file)
            length = response.getheader('Content-Length')
            if length is not None and file.tell() != int(length):
                raise http.client.IncompleteRead(b'', int(length) - file.tell())
        return None
